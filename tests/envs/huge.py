"""An environment with rewards of any size. Workers import this module, and so find it."""

from typing import Any

from maml_rl.envs.task_env import Array
from tests.envs.successful import SilentEnv


class HugeEnv(SilentEnv):
    """A walk along a line whose rewards are multiplied."""

    def __init__(self, scale: float):
        super().__init__()
        self.scale = scale

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        observation, reward, terminated, truncated, info = super().step(action)
        return observation, self.scale * reward, terminated, truncated, info
