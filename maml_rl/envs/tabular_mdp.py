"""Random finite MDPs (Duan et al. 2016, section 3.2)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from maml_rl.envs.task_env import Array, Task, TaskEnv, TaskVectorEnv
from maml_rl.errors import UsageError

ROUNDING = 1e-3
"""Distance from 1 that a sum of probabilities may have, which were written down with few digits."""


def cumulative(probabilities: Array) -> Array:
    """Return the distribution functions ``[..., S - 1]`` of ``[..., S]``; the last entry, 1, is left out."""
    return probabilities.cumsum(-1)[..., :-1]


def next_state(distributions: Array, uniform: Array | float) -> Array:
    """Draw from ``[..., S - 1]`` by inverting distribution functions."""
    return np.asarray((np.asarray(uniform)[..., None] >= distributions).sum(-1))


def one_hot(states: Array | int, num_states: int) -> NDArray[np.float32]:
    """Return the observations of ``states``, ``[..., S]``."""
    return np.eye(num_states, dtype=np.float32)[states]


class TabularMDPEnv(TaskEnv[Array, np.int64]):
    """Starts in state 0 and observes the state one-hot; the reward is ``Normal(rewards_mean[s, a], 1)``.

    Args:
        num_states, num_actions: S and A.
        task: ``{"transitions": [S, A, S], "rewards_mean": [S, A]}``; uniform and 0 unless given.
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, num_states: int, num_actions: int, task: Task | None = None):
        self.num_states, self.num_actions = num_states, num_actions
        self.observation_space = spaces.Box(0.0, 1.0, (num_states,), np.float32)
        self.action_space = spaces.Discrete(num_actions)
        uniform = np.full((num_states, num_actions, num_states), 1 / num_states)
        zeros = np.zeros((num_states, num_actions))
        self.reset_task(task or {"transitions": uniform, "rewards_mean": zeros})
        self._state = 0

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw transitions from Dirichlet(1) and mean rewards from Normal(1, 1)."""
        shape = (num_tasks, self.num_states, self.num_actions)
        transitions = self.np_random.dirichlet(np.ones(self.num_states), shape)
        rewards_mean = self.np_random.normal(1.0, 1.0, shape)
        return [
            {"transitions": transition, "rewards_mean": mean}
            for transition, mean in zip(transitions, rewards_mean, strict=True)
        ]

    def check_task(self, task: Task) -> None:
        """Raise `UsageError` if the transitions are no probabilities."""
        transitions = np.asarray(task["transitions"])
        sums = transitions.sum(-1)
        if (transitions < 0).any() or (np.abs(sums - 1) > ROUNDING).any():
            wrong = sums.ravel()[np.abs(sums - 1).argmax()]
            raise UsageError(
                "transitions: expected numbers from 0 on that sum to 1 over next states, "
                f"got a sum of {wrong:g}"
            )

    def reset_task(self, task: Task) -> None:
        """Set transitions and mean rewards."""
        self.task = task
        self._cumulative = cumulative(np.asarray(task["transitions"]))
        self._rewards_mean = np.asarray(task["rewards_mean"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Return to state 0."""
        super().reset(seed=seed, options=options)
        self._state = 0
        return one_hot(0, self.num_states), {}

    def step(self, action: np.int64) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Draw the reward, then the next state."""
        mean = self._rewards_mean[self._state, action]
        reward = float(mean + self.np_random.standard_normal())
        uniform = self.np_random.random()
        self._state = int(next_state(self._cumulative[self._state, action], uniform))
        return one_hot(self._state, self.num_states), reward, False, False, {}


class TabularMDPVectorEnv(TaskVectorEnv):
    """`TabularMDPEnv`, batched."""

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = 10,
        num_states: int = 10,
        num_actions: int = 5,
    ):
        observation_space = spaces.Box(0.0, 1.0, (num_states,), np.float32)
        super().__init__(num_envs, max_episode_steps, observation_space, spaces.Discrete(num_actions))
        self._one_hot = one_hot(np.arange(num_states), num_states)
        self._set_tasks([TabularMDPEnv(num_states, num_actions).task])

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._task = self._per_env(range(len(tasks)))  # Indices, because copies of the tables are large.
        self._cumulative = cumulative(np.stack([task["transitions"] for task in tasks]))
        self._rewards_mean = np.stack([task["rewards_mean"] for task in tasks])

    def _start(self) -> Array:
        self._states = np.zeros(self.num_envs, np.int64)
        return self._one_hot[self._states]

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        here = (self._task, self._states, actions)
        rewards = self._rewards_mean[here] + self._normal()
        self._states = next_state(self._cumulative[here], self._uniform())
        return self._one_hot[self._states], rewards, np.zeros(self.num_envs, bool)
