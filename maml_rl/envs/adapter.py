"""Any Gymnasium environment with ``sample_tasks`` and ``reset_task`` as a batch of tasks."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.contract import in_terms_of_gymnasium, reset
from maml_rl.envs.task_env import Array, Task, TaskVectorEnv
from maml_rl.errors import UsageError, shown

EXTRAS = {"success": "success", "is_success": "success"}
"""Entries of ``info`` that travel with the episodes, and their names there. An environment names others in
``metadata["extras"]``; what is named there counts as 0 in a step that does not tell it."""

REALS, FLAGS = (float, int, np.floating), (bool, np.bool_)
"""Types of most rewards and flags, which are taken without another look."""


class GymTaskVectorEnv(TaskVectorEnv):
    """One environment object per sub-environment, stepped in a loop; it keeps its own time limit.

    Args:
        make: returns a new environment, with its wrappers.
        num_envs: number of environments.
    """

    def __init__(self, make: Callable[[], gym.Env[Any, Any]], num_envs: int):
        self._envs = [make() for _ in range(num_envs)]
        first = self._envs[0]
        limit = first.spec.max_episode_steps if first.spec else None
        super().__init__(num_envs, limit, first.observation_space, first.action_space)
        declared = first.metadata.get("extras", ())
        self._names = {*EXTRAS, *declared}
        self._declared = [EXTRAS.get(name, name) for name in declared]
        self._observations = np.zeros((num_envs, *first.observation_space.shape), np.float32)  # type: ignore[misc]

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments."""
        for env in self._envs:
            env.close()

    @in_terms_of_gymnasium()
    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step the running environments one after another."""
        observations = self._observations.copy()
        rewards = np.zeros(self.num_envs)
        terminated = ~self.running
        truncated = np.zeros(self.num_envs, bool)
        extras: dict[str, Array] = {name: np.zeros(self.num_envs) for name in self._declared}
        for i in np.flatnonzero(self.running):
            observation, reward, ended, cut, info = self._envs[i].step(actions[i])
            observations[i] = observation
            rewards[i] = reward if isinstance(reward, REALS) else _number("reward", reward)
            terminated[i] = ended if isinstance(ended, FLAGS) else _number("terminated", ended)
            truncated[i] = cut if isinstance(cut, FLAGS) else _number("truncated", cut)
            for name in (name for name in info if name in self._names):
                extras.setdefault(EXTRAS.get(name, name), np.zeros(self.num_envs))[i] = info[name]
        truncated &= ~terminated
        self.running = ~(terminated | truncated)
        self._observations = observations
        return observations, rewards, terminated, truncated, extras

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        for i, env in enumerate(self._envs):
            env.unwrapped.reset_task(tasks[i // self.episodes_per_task])  # type: ignore[attr-defined]

    @in_terms_of_gymnasium()
    def _start(self) -> Array:
        seeds = np.concatenate([rng.integers(2**31, size=self.episodes_per_task) for rng in self._rngs])
        observations = [reset(env, int(seed)) for env, seed in zip(self._envs, seeds, strict=True)]
        self._observations = np.asarray(observations, np.float32)
        return self._observations

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        raise AssertionError("step is overridden: sub-environments have time limits of their own")


def _number(what: str, value: Any) -> float:
    """Return a number that comes as one of NumPy's or torch's, or in an array of its own.

    Raises:
        UsageError: it is none.
    """
    array = np.asarray(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise UsageError(f"step() returned as {what} {shown(value)}: expected a number")
    return float(array.reshape(()))
