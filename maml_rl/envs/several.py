"""Tasks of several environments, which each task names."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym

from maml_rl.envs.task_env import Task

ENVIRONMENT = "env"
"""The entry of a task that names its environment."""


def environment_names(tasks: Sequence[Task]) -> list[str] | None:
    """Return the name of each task's environment; None if there is a task that names none."""
    names = [task.get(ENVIRONMENT) if isinstance(task, Mapping) else None for task in tasks]
    return [str(name) for name in names] if all(isinstance(name, str) for name in names) else None


def environments_of(env: gym.Env[Any, Any], tasks: Sequence[Task] = ()) -> tuple[str, ...]:
    """Return the names of the environments that tasks are of; none if it is a single one.

    Args:
        tasks: those there are; if not given, ``sample_tasks`` draws them.
    """
    if not env.has_wrapper_attr("environments"):
        return ()
    drawn = env.get_wrapper_attr("environments")
    names = dict.fromkeys((environment_names(tasks) or ()) if tasks else drawn)
    return tuple(names) if len(names) > 1 else ()
