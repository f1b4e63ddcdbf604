"""`gymnasium.vector` environments that hold a task per copy, as batches and as single environments.

They have ``sample_tasks(num_tasks)``, and ``reset_task(tasks)`` or ``set_task(tasks)``, one for each copy.
"""

import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from maml_rl.envs.adapter import EXTRAS
from maml_rl.envs.contract import in_terms_of_gymnasium
from maml_rl.envs.task_env import Array, Task, TaskVectorEnv
from maml_rl.errors import UsageError

SETTERS = ("reset_task", "set_task")


def takes_tasks(creator: Any) -> bool:
    """Return whether what makes a batch may make one of tasks; of a function nobody knows."""
    return not isinstance(creator, type) or any(callable(getattr(creator, name, None)) for name in SETTERS)


@dataclass(frozen=True)
class FirstCopy:
    """Makes single environments of a class of batches, for Gymnasium to call.

    Args:
        kind: a `VectorEnv` that is made with ``num_envs``.
    """

    kind: type

    def __call__(self, **kwargs: Any) -> "CopyEnv":
        """Make one."""
        return CopyEnv(self.kind(num_envs=1, **kwargs))

    @property
    def __signature__(self) -> inspect.Signature:
        given = inspect.signature(self.kind)
        return given.replace(parameters=[p for name, p in given.parameters.items() if name != "num_envs"])


@dataclass(frozen=True)
class Batch:
    """Makes batches of tasks of a class of batches, for Gymnasium to call.

    Args:
        kind: a `VectorEnv` that is made with ``num_envs``.
    """

    kind: type

    def __call__(self, num_envs: int = 1, max_episode_steps: int | None = None, **kwargs: Any) -> "BatchEnv":
        """Make one."""
        if "max_episode_steps" in inspect.signature(self.kind).parameters:
            kwargs["max_episode_steps"] = max_episode_steps
        return BatchEnv(self.kind(num_envs=num_envs, **kwargs), max_episode_steps)

    @property
    def __signature__(self) -> inspect.Signature:
        given = inspect.signature(self.kind)
        own = [p for name, p in given.parameters.items() if name != "max_episode_steps"]
        limit = inspect.Parameter("max_episode_steps", inspect.Parameter.KEYWORD_ONLY, default=None)
        position = next((i for i, p in enumerate(own) if p.kind is p.VAR_KEYWORD), len(own))
        return given.replace(parameters=[*own[:position], limit, *own[position:]])


class CopyEnv(gym.Env[Any, Any]):
    """The one copy in a batch of one, as a single environment.

    Args:
        batch: a `VectorEnv`.
    """

    def __init__(self, batch: Any):
        self.batch = batch
        self.observation_space, self.action_space = known_spaces(batch)
        self.metadata = {"render_modes": [], "extras": batch.metadata.get("extras", ())}
        if hasattr(batch, "sample_tasks"):
            self.sample_tasks = batch.sample_tasks

    def reset_task(self, task: Task) -> None:
        """Make ``task`` the one that follows from the next reset on."""
        set_tasks(self.batch, [task])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the copy."""
        super().reset(seed=seed)
        observations, _ = self.batch.reset(seed=None if seed is None else [seed])
        return observations[0], {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step the copy."""
        observations, rewards, ended, cut, info = self.batch.step(
            within(self.action_space, np.asarray(action)[None])
        )
        names = [name for name in (*EXTRAS, *self.metadata["extras"]) if is_told(info, name)]
        last = last_observations(observations, info, np.asarray(ended) | np.asarray(cut))
        return (
            last[0],
            float(rewards[0]),
            bool(ended[0]),
            bool(cut[0]),
            {name: told(info, name, 1)[0] for name in names},
        )

    def close(self) -> None:
        """Close the batch."""
        self.batch.close()


class BatchEnv(TaskVectorEnv):
    """A batch with a task per copy, as a batch of tasks.

    A copy may begin another episode by itself when one has ended; that one counts for nothing.

    Args:
        inner: the batch, a `VectorEnv`.
        max_episode_steps: of an episode; None if the batch ends them itself.
    """

    def __init__(self, inner: Any, max_episode_steps: int | None):
        super().__init__(inner.num_envs, max_episode_steps, *known_spaces(inner))
        self._inner = inner
        self._names = (*EXTRAS, *inner.metadata.get("extras", ()))
        self._waits = inner.metadata.get("autoreset_mode") == AutoresetMode.DISABLED
        self._ended = np.zeros(inner.num_envs, bool)
        self._observations = np.zeros(inner.observation_space.shape or (), np.float32)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the batch."""
        self._inner.close(**kwargs)

    @in_terms_of_gymnasium()
    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Step the copies."""
        if self._waits and self._ended.any():
            self._inner.reset(options={"reset_mask": self._ended})
        observations, rewards, ended, cut, info = self._inner.step(within(self.single_action_space, actions))
        ended, cut = np.asarray(ended, bool), np.asarray(cut, bool)
        self._ended = ended | cut
        self._elapsed += 1
        out_of_time = self.max_episode_steps is not None and self._elapsed >= self.max_episode_steps
        rewards = np.where(self.running, np.asarray(rewards, float), 0.0)
        last = last_observations(observations, info, self._ended)
        shape = (self.num_envs, *(1 for _ in last.shape[1:]))
        self._observations = np.where(self.running.reshape(shape), last, self._observations)
        terminated, truncated = ended | ~self.running, self.running & ~ended & (cut | out_of_time)
        extras = {
            EXTRAS.get(name, name): told(info, name, self.num_envs)
            for name in self._names
            if is_told(info, name)
        }
        self.running = ~(terminated | truncated)
        return self._observations, rewards, terminated, truncated, extras

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        set_tasks(self._inner, [tasks[i // self.episodes_per_task] for i in range(self.num_envs)])

    @in_terms_of_gymnasium()
    def _start(self) -> Array:
        seeds = np.concatenate([rng.integers(2**31, size=self.episodes_per_task) for rng in self._rngs])
        observations, _ = self._inner.reset(seed=[int(seed) for seed in seeds])
        self._ended[:] = False
        self._observations = np.array(observations, np.float32)
        return self._observations

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        raise AssertionError("step is overridden: copies have time limits of their own")


def known_spaces(batch: Any) -> tuple[gym.Space[Any], gym.Space[Any]]:
    """Return the spaces of observations and actions of a batch's copies.

    Raises:
        UsageError: they are of a kind that is translated for single environments alone.
    """
    seen, acted = batch.single_observation_space, batch.single_action_space
    if isinstance(acted, Box):
        plain = len(acted.shape) == 1 and np.issubdtype(acted.dtype, np.floating)
    else:
        start = getattr(acted, "start", 1)
        plain = isinstance(acted, Discrete | MultiDiscrete) and np.ndim(start) < 2 and not np.any(start)
    if not (plain and isinstance(seen, Box) and seen.shape):
        raise UsageError(
            f"'{type(batch).__name__}' has observations in {seen} and actions in {acted}: of a batch "
            "expected a Box that is no scalar, and a Box of one dimension or choices from 0 on: wrap it, as "
            "in gymnasium.wrappers.vector.FlattenObservation, or bring the single environment"
        )
    return seen, acted


def set_tasks(batch: Any, tasks: Sequence[Task]) -> None:
    """Give each copy of a batch its task."""
    next(getattr(batch, name) for name in SETTERS if hasattr(batch, name))(tasks)


def within(space: gym.Space[Any], actions: Array) -> Array:
    """Return actions that a Box does not hold moved to its edge, ``[num_envs, ...]``."""
    return np.clip(actions, space.low, space.high) if isinstance(space, Box) else actions


def last_observations(observations: Any, info: Mapping[str, Any], ended: Array) -> Array:
    """Return the observations after a step; of an episode that ended its last, not the next one's first."""
    seen = np.array(observations, np.float32)
    if "final_obs" in info:
        for i in np.flatnonzero(ended):
            seen[i] = info["final_obs"][i]
    return seen


def is_told(info: Mapping[str, Any], name: str) -> bool:
    """Return whether a batch tells ``name`` of some copy."""
    return name in info or name in info.get("final_info", {})


def told(info: Mapping[str, Any], name: str, num_envs: int) -> Array:
    """Return what a batch tells of its copies under ``name``, ``[num_envs]``; 0 where it tells nothing."""
    numbers = np.zeros(num_envs)
    for part in (info, info.get("final_info", {})):  # The second is of episodes that ended.
        if name in part:
            known = np.asarray(part.get(f"_{name}", np.ones(num_envs)), bool)
            numbers[known] = np.asarray(part[name], float)[known]
    return numbers
