"""Distributions that tasks are drawn from."""

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from maml_rl.envs.contract import in_terms_of_gymnasium, reset
from maml_rl.envs.task_env import Task
from maml_rl.errors import UsageError
from maml_rl.seeding import global_generators_kept, seed_global_generators


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
        """Reset the environment to the seed, and draw.

        Raises:
            UsageError: what ``sample_tasks`` returns are not as many tasks.
        """
        with global_generators_kept(), in_terms_of_gymnasium():
            seed_global_generators(np.random.SeedSequence(seed))
            reset(self._env, seed)
            drawn = self._env.unwrapped.sample_tasks(num_tasks)  # type: ignore[attr-defined]
        if not isinstance(drawn, Sequence | np.ndarray) or isinstance(drawn, str | bytes):
            raise UsageError(f"sample_tasks: expected a list of tasks, got a {type(drawn).__name__}")
        if len(drawn) != num_tasks:
            raise UsageError(f"sample_tasks({num_tasks}): expected {num_tasks} tasks, got {len(drawn)}")
        return [*drawn]
