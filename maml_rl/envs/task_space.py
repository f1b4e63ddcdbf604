"""Distributions that tasks are drawn from."""

from typing import Any, Protocol, runtime_checkable

import gymnasium as gym

from maml_rl.envs.task_env import Task


@runtime_checkable
class TaskSpace(Protocol):
    """A distribution of tasks."""

    def sample(self, seed: int, num_tasks: int) -> list[Task]:
        """Draw tasks; the same ones for the same seed."""
        ...


class EnvTaskSpace:
    """The tasks that an environment's own ``sample_tasks`` draws.

    Args:
        env: has ``sample_tasks``; its reset takes a seed.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        self._env = env

    def sample(self, seed: int, num_tasks: int) -> list[Task]:
        """Reset the environment to the seed, and draw."""
        self._env.reset(seed=seed)
        tasks: list[Task] = self._env.unwrapped.sample_tasks(num_tasks)  # type: ignore[attr-defined]
        return tasks
