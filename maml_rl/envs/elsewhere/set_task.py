"""Environments with ``set_task``, and often ``get_task``: those of ProMP, garage, learn2learn, Meta-World."""

from typing import Any

import gymnasium as gym

from maml_rl.envs.contract import method_of
from maml_rl.envs.task_env import Task


class SetTask(gym.Wrapper[Any, Any, Any, Any]):
    """Calls ``set_task`` for `reset_task`."""

    def reset_task(self, task: Task) -> None:
        """Make ``task`` the one that follows from the next reset on."""
        self.env.get_wrapper_attr("set_task")(task)

    @property
    def task(self) -> Task:
        """The present task, where the environment tells it."""
        tell = method_of(self.env, "get_task")
        if tell is None:
            raise AttributeError("the environment has no get_task()")
        return tell()
