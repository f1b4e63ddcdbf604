"""Any Gymnasium environment with ``sample_tasks`` and ``reset_task`` as a batch of tasks."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.contract import EXPECTED, array_of, in_terms_of_gymnasium, number_of, reset, set_task
from maml_rl.envs.task_env import Array, Part, Task, TaskVectorEnv
from maml_rl.errors import UsageError, shown

EXTRAS = {"success": "success", "is_success": "success"}
"""Entries of ``info`` that travel with the episodes, and their names there. An environment names others in
``metadata["extras"]``; what is named there counts as 0 in a step that does not tell it."""

REALS, FLAGS = (float, int, np.floating), (bool, np.bool_)
"""Types of most rewards and flags, which are taken without another look."""


class GymTaskVectorEnv(TaskVectorEnv):
    """Environment objects, stepped in a loop; each keeps its own time limit.

    Args:
        copies: environments, with their wrappers.
        num_envs: sub-environments, as many as copies unless given. Where they are more, copies run one
            episode after another, in `turns`, and each is the same to the bit as if there were one for each.
    """

    def __init__(self, copies: Sequence[gym.Env[Any, Any]], num_envs: int | None = None):
        num_envs = len(copies) if num_envs is None else num_envs
        first = copies[0]
        limit = first.spec.max_episode_steps if first.spec else None
        super().__init__(num_envs, limit, first.observation_space, first.action_space)
        self._copies = copies
        # Whatever follows one another within a turn has copies of its own.
        self._envs = [copies[i % len(copies)] for i in range(num_envs)]
        self._tasks: Sequence[Task] = []
        self._turn: Part = (slice(None), slice(None))
        declared = first.metadata.get("extras", ())
        self._names = {*EXTRAS, *declared}
        self._declared = [EXTRAS.get(name, name) for name in declared]
        self._observations = np.zeros((num_envs, *first.observation_space.shape), np.float32)  # type: ignore[misc]

    @property
    def turns(self) -> Sequence[Part]:
        """As many whole tasks as there are copies for, or a part of one task's episodes."""
        episodes = min(len(self._copies), self.episodes_per_task)
        tasks = max(len(self._copies) // self.episodes_per_task, 1)
        return [
            (slice(n, n + tasks), slice(k, k + episodes))
            for n in range(0, self._num_tasks, tasks)
            for k in range(0, self.episodes_per_task, episodes)
        ]

    def reset(
        self, *, seed: int | Sequence[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an episode in the sub-environments whose turn it is."""
        self._turn = (options or {}).get("turn", self.turns[0])
        return super().reset(seed=seed)

    def close_extras(self, **kwargs: Any) -> None:
        """Close the environments."""
        for env in self._copies:
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
            answer = self._envs[i].step(actions[i])
            if len(answer) != 5:  # Gymnasium before 1.2 lets it through.
                raise UsageError(f"the environment's step() returned {shown(answer)}; {EXPECTED}")
            observation, reward, ended, cut, info = answer
            observations[i] = self._fitting(observation, "step")
            rewards[i] = reward if isinstance(reward, REALS) else number_of("reward", reward)
            terminated[i] = ended if isinstance(ended, FLAGS) else number_of("terminated", ended, finite=True)
            truncated[i] = cut if isinstance(cut, FLAGS) else number_of("truncated", cut, finite=True)
            for name in (name for name in info if name in self._names):
                told = number_of(f"info['{name}']", info[name], finite=True)
                extras.setdefault(EXTRAS.get(name, name), np.zeros(self.num_envs))[i] = told
        truncated &= ~terminated
        self.running = ~(terminated | truncated)
        self._observations = observations
        return observations, rewards, terminated, truncated, extras

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._tasks = tasks

    @in_terms_of_gymnasium()
    def _start(self) -> Array:
        # Drawn for all sub-environments, whichever begin.
        seeds = np.concatenate([rng.integers(2**31, size=self.episodes_per_task) for rng in self._rngs])
        begins = np.arange(self.num_envs).reshape(self._num_tasks, -1)[self._turn].ravel().tolist()
        self.running[:] = False
        self.running[begins] = True
        for i in begins if self._tasks else ():
            task = self._tasks[i // self.episodes_per_task]
            set_task(self._envs[i], task)
        self._observations = np.zeros_like(self._observations)
        for i in begins:
            self._observations[i] = self._fitting(reset(self._envs[i], int(seeds[i])), "reset")
        return self._observations

    def _fitting(self, observation: Any, method: str) -> Any:
        """Return an observation that fits its space, which NumPy would else stretch until it does.

        Raises:
            UsageError: it has another shape.
        """
        array = array_of(observation)
        if array.shape != (expected := self._observations.shape[1:]):
            shape = [*array.shape]
            raise UsageError(f"{method}() returned an observation of shape {shape}, expected {[*expected]}")
        return array

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        raise AssertionError("step is overridden: sub-environments have time limits of their own")


class BorrowedCopies(GymTaskVectorEnv):
    """Environment objects that are somebody else's to close: Gymnasium 1.1 and 1.2 close any batch let go."""

    def close_extras(self, **kwargs: Any) -> None:
        """Leave the environments as they are."""
