"""Lists of tasks that a user wrote down: to train on, or for tests on the same tasks as somebody else's."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym

from maml_rl.envs.contract import method_of
from maml_rl.envs.like import like
from maml_rl.envs.task_env import Task
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.errors import UsageError

EXAMPLES = 16
"""Tasks that are drawn to see what they are like."""


def checked_tasks(env: gym.Env[Any, Any], tasks: Sequence[Any], source: str) -> list[Task]:
    """Return tasks with the types of the environment's own.

    Args:
        tasks: as YAML has them.
        source: what holds them, for messages.

    Raises:
        UsageError: one is not like those that the environment takes.
    """
    if not tasks:
        return []
    places = [f"{source}: task {number}" for number in range(1, len(tasks) + 1)]
    fitted = method_of(env, "fitted_task")
    if fitted is None:
        space = EnvTaskSpace(env)
        examples = [task for seed in range(EXAMPLES) for task in space.sample(seed, 1)]
        made = [like(examples, task, place) for task, place in zip(tasks, places, strict=True)]
    else:
        made = [fitted(task, place) for task, place in zip(tasks, places, strict=True)]
    if check := method_of(env, "check_task"):
        for task, place in zip(made, places, strict=True):
            try:
                check(task)
            except UsageError as error:
                raise UsageError(f"{place}: {error}") from None
    return made
