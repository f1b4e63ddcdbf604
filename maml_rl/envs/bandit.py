"""Multi-armed bandits with unknown means (Duan et al. 2016, section 3.1): one pull is an episode."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from maml_rl.envs.task_env import Array, Task, TaskEnv, TaskVectorEnv
from maml_rl.errors import UsageError, check_number

OBSERVATIONS = spaces.Box(0.0, 1.0, (1,), np.float32)


class BernoulliBanditEnv(TaskEnv[Array, np.int64]):
    """Pulling arm ``a`` pays 1 with probability ``mean[a]``, else 0.

    Args:
        k: number of arms.
        task: ``{"mean": [k]}``; 0.5 everywhere unless given.
    """

    metadata: dict[str, Any] = {"render_modes": []}
    observation_space = OBSERVATIONS

    def __init__(self, k: int, task: Task | None = None):
        self.action_space = spaces.Discrete(k)
        self.k = k
        self.reset_task(task or {"mean": np.full(k, 0.5)})

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw means uniform in [0, 1], ``{"mean": [k]}``."""
        return [{"mean": mean} for mean in self.np_random.random((num_tasks, self.k))]

    def check_task(self, task: Task) -> None:
        """Raise `UsageError` if the means are no probabilities."""
        mean = np.asarray(task["mean"])
        if ((mean < 0) | (mean > 1)).any():
            raise UsageError(f"mean: expected probabilities, from 0 to 1, got {mean.tolist()}")

    def reset_task(self, task: Task) -> None:
        """Set the arms' means."""
        self.task = task
        self._mean = np.asarray(task["mean"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Return the observation, which is always 0."""
        super().reset(seed=seed, options=options)
        return np.zeros(1, np.float32), {}

    def step(self, action: np.int64) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Pull one arm, which ends the episode."""
        reward = self._pay(float(self._mean[action]))
        return np.zeros(1, np.float32), reward, True, False, {}

    def _pay(self, mean: float) -> float:
        return float(self.np_random.random() < mean)


class GaussianBanditEnv(BernoulliBanditEnv):
    """Pulling arm ``a`` pays ``Normal(mean[a], std)``."""

    def __init__(self, k: int, std: float = 1.0, task: Task | None = None):
        check_number("std", std, 0)
        super().__init__(k, task)
        self.std = std

    def check_task(self, task: Task) -> None:
        """Take any means."""

    def _pay(self, mean: float) -> float:
        return mean + self.std * float(self.np_random.standard_normal())


class BernoulliBanditVectorEnv(TaskVectorEnv):
    """`BernoulliBanditEnv`, batched."""

    def __init__(self, num_envs: int = 1, max_episode_steps: int | None = None, k: int = 5):
        super().__init__(num_envs, max_episode_steps, OBSERVATIONS, spaces.Discrete(k))
        self._means = np.full((num_envs, k), 0.5)

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._means = self._per_env([task["mean"] for task in tasks])

    def _start(self) -> Array:
        return np.zeros((self.num_envs, 1), np.float32)

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        rewards = self._pay(self._means[np.arange(self.num_envs), actions])
        return self._start(), rewards, np.ones(self.num_envs, bool)

    def _pay(self, means: Array) -> Array:
        return (self._uniform() < means).astype(np.float64)


class GaussianBanditVectorEnv(BernoulliBanditVectorEnv):
    """`GaussianBanditEnv`, batched."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = None,
        k: int = 5,
        std: float = 1.0,
    ):
        super().__init__(num_envs, max_episode_steps, k)
        self.std = std

    def _pay(self, means: Array) -> Array:
        return means + self.std * self._normal()
