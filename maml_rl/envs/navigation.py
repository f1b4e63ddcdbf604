"""2D navigation: walk to a goal that is not shown (Finn et al. 2017, section 5.3; Rothfuss et al. 2019)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from maml_rl.envs.goals import make_goals
from maml_rl.envs.task_env import Array, Task, TaskEnv, TaskVectorEnv, check_positive

MAX_MOVE = 0.1

OBSERVATIONS = spaces.Box(-np.inf, np.inf, (2,), np.float32)


def action_box(scale: float) -> spaces.Box:
    """Return the space of actions, ±scale.

    Raises:
        UsageError: the scale is not a number above 0.
    """
    check_positive("normalization_scale", scale)
    return spaces.Box(-scale, scale, (2,), np.float32)


def move(position: Array, action: Array, scale: float = MAX_MOVE) -> NDArray[np.float32]:
    """Return the position after ``action``, ``[..., 2]``; ±scale maps on to ±0.1, and is clipped beyond."""
    return (position + np.clip(action * (MAX_MOVE / scale), -MAX_MOVE, MAX_MOVE)).astype(np.float32)


class Navigation2DEnv(TaskEnv[Array, Array]):
    """Starts at the origin; the action is the move, the observation the position.

    Args:
        task: ``{"goal": [2]}``; the origin unless given.
        low, high: goals lie in the square ``[low, high]²``.
        normalization_scale: actions in ± this are mapped on to moves in ±0.1. By default an action is
            the move; the paper's policies acted in ±1.
        goals: ``"square"``, uniform, or ``"corners"``, whose rewards are sparse (`maml_rl.envs.goals`).
    """

    metadata: dict[str, Any] = {"render_modes": []}
    observation_space = OBSERVATIONS

    def __init__(
        self,
        task: Task | None = None,
        low: float = -0.5,
        high: float = 0.5,
        normalization_scale: float = MAX_MOVE,
        goals: str = "square",
    ):
        self._goals = make_goals(goals, low, high)
        self.action_space = action_box(normalization_scale)
        self._scale = normalization_scale
        self.low, self.high = low, high
        self.reset_task(task or {"goal": np.zeros(2, np.float32)})
        self._position = np.zeros(2, np.float32)

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw goals, ``{"goal": [2]}``."""
        return [{"goal": goal} for goal in self._goals.sample(self.np_random, num_tasks)]

    def reset_task(self, task: Task) -> None:
        """Set the goal."""
        self.task = task
        self._goal = np.asarray(task["goal"])

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Return to the origin."""
        super().reset(seed=seed, options=options)
        self._position = np.zeros(2, np.float32)
        return self._position, {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Move."""
        before, self._position = self._position, move(self._position, action, self._scale)
        reward = float(self._goals.reward(before, self._position, self._goal))
        done = bool(self._goals.ended(self._position, self._goal))
        return self._position, reward, done, False, {}


class Navigation2DVectorEnv(TaskVectorEnv):
    """`Navigation2DEnv`, batched."""

    def __init__(  # noqa: PLR0913, each is an env-kwarg
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = 100,
        low: float = -0.5,
        high: float = 0.5,
        normalization_scale: float = MAX_MOVE,
        goals: str = "square",
    ):
        super().__init__(num_envs, max_episode_steps, OBSERVATIONS, action_box(normalization_scale))
        self._scale = normalization_scale
        self._goals = make_goals(goals, low, high)
        self._goal = np.zeros((num_envs, 2))

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._goal = self._per_env([task["goal"] for task in tasks])

    def _start(self) -> Array:
        self._positions = np.zeros((self.num_envs, 2), np.float32)
        return self._positions

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        before, self._positions = self._positions, move(self._positions, actions, self._scale)
        return (
            self._positions,
            self._goals.reward(before, self._positions, self._goal),
            self._goals.ended(self._positions, self._goal),
        )
