"""The contract between task distributions and samplers: one task per environment, many at once."""

import math
from abc import abstractmethod
from collections.abc import Sequence
from functools import partial
from typing import Any, TypeAlias, TypeVar

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from maml_rl.envs.quiet_close import close_quietly
from maml_rl.errors import UsageError, is_number, shown

Task = Any
"""One MDP out of a distribution: plain data, such as a dict of numbers and arrays."""

Array = NDArray[Any]
LONGEST_EPISODE = 25_000
"""Time steps after which an episode counts as one that does not end, unless its environment has a limit."""
Part: TypeAlias = tuple[slice, slice]
"""Some of N tasks, and some of each one's K episodes."""
ObsType = TypeVar("ObsType")
ActType = TypeVar("ActType")


def check_range(low: object, high: object) -> None:
    """Check that tasks can be uniform in ``[low, high]``.

    Raises:
        UsageError: one is not a finite number, ``low`` is above ``high``, or no float holds their distance.
    """
    got = f"got {shown(low)} and {shown(high)}"
    if not (is_number(low) and is_number(high) and low <= high):
        raise UsageError(f"low and high: expected numbers with low not above high, {got}")
    if not math.isfinite(float(high) - float(low)):
        raise UsageError(f"low and high: expected numbers whose distance is finite, {got}")


def check_positive(name: str, value: object) -> None:
    """Check that the environment's argument ``name`` is a number above 0.

    Raises:
        UsageError: it is not.
    """
    if not (is_number(value) and value > 0):
        raise UsageError(f"{name}: expected a number above 0, got {shown(value)}")


class TaskEnv(gym.Env[ObsType, ActType]):
    """A Gymnasium environment that is one task out of a distribution.

    Any environment with these two methods works with the samplers; deriving from this class is
    a convenience.
    """

    task: Task

    @abstractmethod
    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw tasks from the distribution, with ``self.np_random``."""

    @abstractmethod
    def reset_task(self, task: Task) -> None:
        """Make ``task`` the one that follows from the next `reset` on."""


class TaskVectorEnv(VectorEnv[Array, Array, Array]):
    """Many environments stepped as one batch, each with a task of its own. They never autoreset.

    ``reset_task`` takes N tasks, where N divides ``num_envs``: sub-environment ``n K + k`` runs
    episode ``k`` of task ``n``, with ``K = num_envs / N``. The random numbers of a task's episodes
    come from one stream per task, so that they do not depend on what else is in the batch.

    A sub-environment whose episode is over keeps saying so and its rewards are 0 until `reset`.
    Where not all can run at once, a reset begins those of one of the `turns`, and the others are over.

    Subclasses implement `_set_tasks`, `_start` and `_advance` on arrays whose first dimension is
    ``num_envs``, and may skip work where ``self.running`` is false.
    """

    metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.DISABLED}
    closed = True
    """True before it is made, too: Gymnasium closes what could not be."""

    def __init__(
        self,
        num_envs: int,
        max_episode_steps: int | None,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
    ):
        self.num_envs = num_envs
        self.max_episode_steps = max_episode_steps
        self.single_observation_space = observation_space
        self.single_action_space = action_space
        self.observation_space = batch_space(observation_space, num_envs)
        self.action_space = batch_space(action_space, num_envs)
        self.running = np.zeros(num_envs, bool)
        self._num_tasks = num_envs
        self._elapsed = 0
        self._rngs: list[np.random.Generator] = []
        self.closed = False

    @property
    def episodes_per_task(self) -> int:
        """K, the number of sub-environments that share a task."""
        return self.num_envs // self._num_tasks

    @property
    def turns(self) -> Sequence[Part]:
        """The parts of ``[N, K]`` that run one after another: here, everything at once."""
        return [(slice(None), slice(None))]

    def close(self, **kwargs: Any) -> None:
        """Close the environments; one that fails at it, which may be anybody's, is passed over."""
        close_quietly(type(self).__name__, partial(super().close, **kwargs))

    def reset_task(self, tasks: Sequence[Task]) -> None:
        """Give each group of K sub-environments its task.

        Raises:
            ValueError: the number of tasks does not divide ``num_envs``.
        """
        if not tasks or self.num_envs % len(tasks):
            raise ValueError(f"{len(tasks)} tasks cannot share {self.num_envs} environments evenly")
        if len(tasks) != self._num_tasks:
            self._rngs = []
        self._num_tasks = len(tasks)
        self._set_tasks(tasks)

    def reset(
        self,
        *,
        seed: int | Sequence[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[Array, dict[str, Any]]:
        """Start an episode everywhere.

        Args:
            seed: one per task; an integer ``s`` stands for ``s, s + 1, …``. Without one the streams go on.
            options: ``"turn"``, one of `turns`; the first if it is not given.
        """
        self._seed(seed)
        self._elapsed = 0
        self.running[:] = True
        return self._start(), {}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Advance every running episode by one step.

        The last item holds numbers by name, ``[num_envs]`` each; they travel with the episodes. Where
        ``success`` is not 0, the episode has succeeded.
        """
        observations, rewards, ended = self._advance(actions)
        for name, array in (("rewards", rewards), ("whether episodes ended", ended)):
            if np.shape(array) not in ((), (self.num_envs,)):  # NumPy would stretch the other.
                raise UsageError(
                    f"_advance() returned {name} of shape {[*np.shape(array)]}, expected [{self.num_envs}]"
                )
        self._elapsed += 1
        out_of_time = self.max_episode_steps is not None and self._elapsed >= self.max_episode_steps
        rewards = np.where(self.running, rewards, 0.0)
        # A finished episode keeps reporting that it ended; it is never both ended and cut by time.
        terminated = ended | ~self.running
        truncated = ~terminated & out_of_time
        self.running = ~(terminated | truncated)
        return observations, rewards, terminated, truncated, self._extras()

    @abstractmethod
    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        """Store what the tasks determine."""

    @abstractmethod
    def _start(self) -> Array:
        """Begin an episode everywhere; return the first observations."""

    @abstractmethod
    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Return observations, rewards and whether each episode reached a terminal state."""

    def _extras(self) -> dict[str, Array]:
        """Return what else there is to tell of the last step: numbers by name, ``[num_envs]`` each."""
        return {}

    def _seed(self, seed: int | Sequence[int | None] | None) -> None:
        if seed is None:
            self._rngs = self._rngs or [np.random.default_rng() for _ in range(self._num_tasks)]
            return
        if isinstance(seed, int):
            seed = [seed + i for i in range(self._num_tasks)]
        if len(seed) != self._num_tasks:
            raise ValueError(f"{len(seed)} seeds for {self._num_tasks} tasks: expected one per task")
        self._rngs = [np.random.default_rng(s) for s in seed]

    def _per_env(self, values: Sequence[Any]) -> Array:
        """Repeat one value per task for each of its episodes: ``[N, ...] -> [num_envs, ...]``."""
        return np.repeat(np.asarray(values), self.episodes_per_task, axis=0)

    def _uniform(self, *shape: int) -> Array:
        """Draw ``[num_envs, *shape]`` uniforms in [0, 1), each task's from its own stream."""
        return np.concatenate([rng.random((self.episodes_per_task, *shape)) for rng in self._rngs])

    def _normal(self, *shape: int) -> Array:
        """Draw ``[num_envs, *shape]`` standard normals, each task's from its own stream."""
        return np.concatenate([rng.standard_normal((self.episodes_per_task, *shape)) for rng in self._rngs])
