"""An environment whose batched version may have other spaces."""

from typing import Any

import numpy as np
from gymnasium import spaces

from maml_rl.envs import TaskVectorEnv
from tests.envs.peculiar import Line

BOX = spaces.Box(-np.inf, np.inf, (2,), np.float32)
MOVES = spaces.Box(-1.0, 1.0, (1,), np.float32)
SPACES: dict[str, tuple[spaces.Space[Any], spaces.Space[Any]]] = {
    "alike": (spaces.Box(-5.0, 5.0, (2,), np.float64), MOVES),
    "scalar": (spaces.Box(-1.0, 1.0, ()), MOVES),
    "states": (spaces.Discrete(2), MOVES),
    "longer": (BOX, spaces.Box(-1.0, 1.0, (2,), np.float32)),
    "choices": (BOX, spaces.Discrete(2)),
}


class TwinEnv(Line):
    def __init__(self, kind: str = "alike") -> None:
        super().__init__()


class TwinVectorEnv(TaskVectorEnv):
    def __init__(self, num_envs: int, kind: str = "alike") -> None:
        super().__init__(num_envs, 8, *SPACES[kind])

    def _set_tasks(self, tasks: Any) -> None: ...

    def _start(self) -> Any:
        return np.zeros((self.num_envs, 2))

    def _advance(self, actions: Any) -> Any:
        return self._start(), np.zeros(self.num_envs), np.zeros(self.num_envs, bool)
