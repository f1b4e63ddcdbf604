"""Distributions that tasks are drawn from."""

from collections.abc import Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from maml_rl.envs.contract import draw_tasks, in_terms_of_gymnasium, method_of, reset
from maml_rl.envs.drawn_tasks import Listed
from maml_rl.envs.task_env import Task
from maml_rl.errors import UsageError
from maml_rl.seeding import global_generators_kept, seed_global_generators

Split = Literal["train", "test"]
"""What tasks are drawn for."""


@runtime_checkable
class TaskSpace(Protocol):
    """A distribution of tasks."""

    def sample(self, seed: int, num_tasks: int, split: Split = "train") -> list[Task]:
        """Draw tasks; the same ones for the same seed."""
        ...


class EnvTaskSpace:
    """The tasks that an environment's own ``sample_tasks`` draws.

    Args:
        env: has ``sample_tasks``; its reset takes a seed.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        self._env = env

    def sample(self, seed: int, num_tasks: int, split: Split = "train") -> list[Task]:
        """Reset the environment to the seed, and draw.

        Only the seed tells unseen tasks from others, unless the environment has ``sample_test_tasks``.

        Raises:
            UsageError: what ``sample_tasks`` returns are not as many tasks.
        """
        with global_generators_kept(), in_terms_of_gymnasium():
            seed_global_generators(np.random.SeedSequence(seed))
            reset(self._env, seed)
            drawn = draw_tasks(self._env, num_tasks, split)
        of_tests = split == "test" and method_of(self._env, "sample_test_tasks") is not None
        name = "sample_test_tasks" if of_tests else "sample_tasks"
        if not isinstance(drawn, Sequence | np.ndarray) or isinstance(drawn, str | bytes):
            raise UsageError(f"{name}: expected a list of tasks, got a {type(drawn).__name__}")
        if len(drawn) != num_tasks:
            raise UsageError(f"{name}({num_tasks}): expected {num_tasks} tasks, got {len(drawn)}")
        return [*drawn]


class ListTaskSpace:
    """A list of tasks to train on, beside a distribution that others are drawn from for tests."""

    def __init__(self, tasks: Sequence[Task], others: TaskSpace):
        self._listed, self._others = Listed(tasks), others

    def sample(self, seed: int, num_tasks: int, split: Split = "train") -> list[Task]:
        """Draw from the list without replacement, as long as it has more; for tests, from the others."""
        if split == "test":
            return self._others.sample(seed, num_tasks, split)
        return self._listed.draw(np.random.default_rng(seed), num_tasks, {})
