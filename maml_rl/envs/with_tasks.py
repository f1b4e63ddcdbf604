"""Environments of any kind as task distributions: with ``sample_tasks`` and ``reset_task``."""

from collections.abc import Mapping, Sequence
from typing import Any

import gymnasium as gym

from maml_rl.envs.attributes.settings import AttributeSettings
from maml_rl.envs.contract import method_of
from maml_rl.envs.drawn_tasks import DrawnTasks, Listed, Ranges, SettingTasks, Source
from maml_rl.envs.elsewhere.carl import ContextSettings, carl_env
from maml_rl.envs.elsewhere.old_gym import OldGymEnv
from maml_rl.envs.elsewhere.set_task import SetTask
from maml_rl.errors import UsageError, shown


def with_tasks(env: gym.Env[Any, Any], task_space: object, name: str) -> gym.Env[Any, Any]:
    """Return an environment, wrapped where it has no ``sample_tasks`` or no ``reset_task``.

    Args:
        task_space: ranges of values by name, a list of tasks, or None.
        name: of the environment, for messages.

    Raises:
        UsageError: there is nothing to draw tasks from, or the task space is not of this environment.
    """
    what = f"environment '{name}'"
    if carl_env(env) is not None:
        contexts = ContextSettings(env)
        return SettingTasks(env, contexts, _source(task_space or contexts.contexts))
    if method_of(env, "reset_task") is None and method_of(env, "set_task") is not None:
        env = SetTask(env)
    if method_of(env, "reset_task") is not None:
        if isinstance(task_space, Mapping):
            raise UsageError(
                f"{what} sets tasks of its own, by reset_task or set_task: a task-space is for environments "
                "that do not; a list of 'tasks' can be given"
            )
        if method_of(env, "sample_tasks") is not None or task_space is None:
            return env
        return DrawnTasks(env, _source(task_space))
    if task_space is None:
        return env
    source = _source(task_space)
    itself: Any = env.unwrapped
    if isinstance(itself, OldGymEnv):
        itself = getattr(itself.inner, "unwrapped", itself.inner)
    return SettingTasks(env, AttributeSettings(itself, source.names, what), source)


def _source(task_space: object) -> Source:
    if isinstance(task_space, Mapping) and task_space:
        return Ranges(task_space)
    if isinstance(task_space, Sequence) and task_space and not isinstance(task_space, str | bytes):
        return Listed(task_space)
    raise UsageError(
        f"task-space: expected ranges by name, such as '{{g: [5, 15]}}', got {shown(task_space)}"
    )
