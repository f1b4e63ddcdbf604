"""Environments that tell of more than rewards. Workers import this module, and so find them."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np

from maml_rl.envs import Task, TaskVectorEnv
from maml_rl.envs.task_env import Array

EPISODE = 6
OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
ACTIONS = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)


class SilentEnv(gym.Env[Any, Any]):
    """A walk along a line, from 0 to beyond the task's mark or for six steps."""

    observation_space, action_space = OBSERVATIONS, ACTIONS

    def __init__(self) -> None:
        self.mark = 0.0

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        return [{"mark": mark} for mark in self.np_random.uniform(0.5, 1.5, num_tasks)]

    def reset_task(self, task: Task) -> None:
        self.mark = task["mark"]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Array, dict[str, Any]]:
        super().reset(seed=seed)
        self.position, self.elapsed = 0.0, 0
        return self.observation(), {"success": 7.0}  # What a reset tells is of no step.

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        self.position += float(np.clip(action[0], -1, 1))
        self.elapsed += 1
        beyond = self.position > self.mark
        ended = beyond, not beyond and self.elapsed == EPISODE
        return self.observation(), -abs(self.position - self.mark), *ended, self.told(beyond)

    def observation(self) -> Array:
        return np.array([self.position, self.elapsed], np.float32)

    def told(self, beyond: bool) -> dict[str, Any]:
        return {"distance": 3.0, "words": "not a number"}


class SuccessEnv(SilentEnv):
    """Tells at each step whether it is there."""

    def told(self, beyond: bool) -> dict[str, Any]:
        return {**super().told(beyond), "success": beyond}


class IsSuccessEnv(SilentEnv):
    """Tells by another name, and at the end of an episode alone."""

    def told(self, beyond: bool) -> dict[str, Any]:
        return {"is_success": float(beyond)} if beyond or self.elapsed == EPISODE else {}


class DistanceEnv(SuccessEnv):
    """Tells how far away it is, too."""

    metadata = {**SuccessEnv.metadata, "extras": ("distance",)}

    def told(self, beyond: bool) -> dict[str, Any]:
        return {**super().told(beyond), "distance": self.mark - self.position}


class BatchedEnv(DistanceEnv):
    """Like its class, and stepped as a batch."""


class BatchedVectorEnv(TaskVectorEnv):
    """Many of them; those whose episode is over go on telling."""

    def __init__(self, num_envs: int = 1, max_episode_steps: int | None = EPISODE):
        super().__init__(num_envs, max_episode_steps or EPISODE, OBSERVATIONS, ACTIONS)

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._marks = self._per_env([task["mark"] for task in tasks])

    def _start(self) -> Array:
        self._position, self._time = np.zeros((2, self.num_envs))
        return self._observations()

    def _advance(self, actions: Array) -> tuple[Array, Array, Array]:
        self._position = self._position + np.clip(actions[:, 0], -1, 1)
        self._time = self._time + 1
        beyond = self._position > self._marks
        return self._observations(), -np.abs(self._position - self._marks), beyond

    def _extras(self) -> dict[str, Array]:
        return {"success": self._position > self._marks, "distance": self._marks - self._position}

    def _observations(self) -> Array:
        return np.stack([self._position, self._time], axis=-1).astype(np.float32)


class OnlySuccessEnv(SilentEnv):
    """Tells of success where there is one, and else of nothing."""

    def told(self, beyond: bool) -> dict[str, Any]:
        return {"success": True} if beyond else {}


class DeclaredSuccessEnv(OnlySuccessEnv):
    """Tells of success where there is one, and says that it does."""

    metadata = {**gym.Env.metadata, "extras": ["success"]}

    def told(self, beyond: bool) -> dict[str, Any]:
        return super().told(beyond and self.mark < 0)
