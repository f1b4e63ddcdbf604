"""Environments that show their task: what a policy needs to know beforehand what others must find out.

A policy trained on them without inner steps is the oracle of Finn et al. 2017, section 5.3.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from maml_rl.envs.task_env import Array, Task, TaskVectorEnv
from maml_rl.errors import UsageError, shown


def task_vector(task: Task) -> NDArray[np.float32]:
    """Return the numbers of a task, in the order of its keys."""
    return np.concatenate([np.ravel(task[key]) for key in sorted(task)]).astype(np.float32)


class ObserveTask(gym.ObservationWrapper[Array, Any, Array]):
    """Appends the environment's ``task`` to the observations, as numbers: ``[O] -> [O + size of the task]``.

    Raises:
        UsageError: the environment has no ``task``, or its observations are not a vector.
    """

    def __init__(self, env: gym.Env[Array, Any]):
        super().__init__(env)
        name = env.spec.id if env.spec else type(env.unwrapped).__name__
        if not (env.has_wrapper_attr("task") and isinstance(env.get_wrapper_attr("task"), dict)):
            raise UsageError(f"observe_task: expected a dict 'task' in environment '{name}' from the start")
        try:
            size = len(self.task_vector)
        except (TypeError, ValueError):
            task = shown(env.get_wrapper_attr("task"))
            raise UsageError(f"observe_task: expected numbers in the task, got {task}") from None
        space = env.observation_space
        if not (isinstance(space, spaces.Box) and len(space.shape) == 1):
            raise UsageError(f"observe_task: expected a vector of observations, '{name}' has {space}")
        unbounded = np.full(size, np.inf)
        low, high = np.append(space.low, -unbounded), np.append(space.high, unbounded)
        self.observation_space = spaces.Box(low.astype(np.float32), high.astype(np.float32))

    def observation(self, observation: Array) -> Array:
        """Return ``observation`` with the task behind it."""
        return np.append(observation, self.task_vector).astype(np.float32)

    @property
    def task_vector(self) -> NDArray[np.float32]:
        """The present task's numbers."""
        return task_vector(self.env.get_wrapper_attr("task"))


class ObserveTaskVector(TaskVectorEnv):
    """`ObserveTask` of a batch, each sub-environment with its own task behind the observation.

    Args:
        env: the batch.
        single: one environment of its kind, with the task that holds until others are set.
    """

    def __init__(self, env: TaskVectorEnv, single: ObserveTask):
        super().__init__(
            env.num_envs, env.max_episode_steps, single.observation_space, env.single_action_space
        )
        self._env = env
        self._tasks = np.tile(single.task_vector, (env.num_envs, 1))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the batch."""
        self._env.close(**kwargs)

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an episode everywhere."""
        observations, info = self._env.reset(seed=seed, options=options)
        self.running = self._env.running
        return self._with_tasks(observations), info

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Advance every running episode by one step."""
        observations, rewards, terminated, truncated, info = self._env.step(actions)
        self.running = self._env.running
        return self._with_tasks(observations), rewards, terminated, truncated, info

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._env.reset_task(tasks)
        self._tasks = self._per_env([task_vector(task) for task in tasks])

    def _with_tasks(self, observations: Array) -> Array:
        return np.concatenate([observations, self._tasks], axis=-1, dtype=np.float32)

    def _start(self) -> Array:
        raise AssertionError("reset is overridden: the batch inside starts itself")

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        raise AssertionError("step is overridden: the batch inside advances itself")
