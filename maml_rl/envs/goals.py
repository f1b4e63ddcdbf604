"""Distributions of goals in the plane, each with its reward."""

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.task_env import Array, check_range
from maml_rl.errors import UsageError, shown

GOAL_RADIUS = 0.01
FLAT_PART = 1 / 8
"""Of the square's side: the published 0.5 of 4."""


class Goals(ABC):
    """A distribution of goals in the square ``[low, high]²``, and what a move is worth to one of them.

    Positions and goals are ``[..., 2]``, answers ``[...]``.
    """

    def __init__(self, low: float, high: float):
        check_range(low, high)
        self.low, self.high = low, high

    @abstractmethod
    def sample(self, rng: np.random.Generator, number: int) -> Array:
        """Draw ``number`` goals, ``[number, 2]``."""

    @abstractmethod
    def reward(self, before: Array, after: Array, goal: Array) -> Array:
        """Return the reward of the move from ``before`` to ``after``."""

    @abstractmethod
    def ended(self, position: Array, goal: Array) -> NDArray[np.bool_]:
        """Return whether the episode is over."""


class Square(Goals):
    """Goals anywhere in the square; the reward is minus the distance (Finn et al. 2017, section 5.3)."""

    def sample(self, rng: np.random.Generator, number: int) -> Array:
        """Draw each coordinate from the uniform distribution."""
        return rng.uniform(self.low, self.high, (number, 2))

    def reward(self, before: Array, after: Array, goal: Array) -> Array:
        """Return minus the distance that is left."""
        return np.asarray(-_distance(after, goal))

    def ended(self, position: Array, goal: Array) -> NDArray[np.bool_]:
        """Return whether both coordinates are within 0.01 of the goal's."""
        return np.asarray((np.abs(position - goal) < GOAL_RADIUS).all(-1))


class Corners(Goals):
    """Goals in the square's corners, alike; the reward is 0 until the way to the right one is taken.

    From there on it is the progress, the distance that a move takes off. It is 0 where the goal is not the
    nearest corner, and near the origin: where the coordinates' absolute values add up to less than an eighth
    of the square's side. Episodes do not end at the goal. The task of Rothfuss et al. 2019 for exploration,
    after their code (``MetaPointEnvCorner``), where corners are at ±2 and moves within ±0.2.
    """

    def sample(self, rng: np.random.Generator, number: int) -> Array:
        """Draw corners with replacement."""
        return np.array([self.low, self.high])[rng.integers(2, size=(number, 2))]

    def reward(self, before: Array, after: Array, goal: Array) -> Array:
        """Return how much nearer the goal is, where it is the nearest corner and the origin is left."""
        position, middle = after.astype(np.float64), (self.low + self.high) / 2
        # A corner is the nearest in its own quarter of the square and behind it, edges included.
        nearest = ((position - middle) * (goal - middle) >= 0).all(-1)
        away = np.abs(position).sum(-1) >= FLAT_PART * (self.high - self.low)
        return np.where(nearest & away, _distance(before, goal) - _distance(after, goal), 0.0)

    def ended(self, position: Array, goal: Array) -> NDArray[np.bool_]:
        """Return that it is not: the goal is a place to stay at."""
        return np.zeros(position.shape[:-1], bool)


KINDS: dict[str, type[Goals]] = {"square": Square, "corners": Corners}


def make_goals(name: object, low: float, high: float) -> Goals:
    """Return the distribution called ``name``, one of `KINDS`.

    Raises:
        UsageError: there is none of that name, or ``[low, high]`` is no range.
    """
    if not (isinstance(name, str) and name in KINDS):
        raise UsageError(f"goals: expected 'square' or 'corners', got {shown(name)}")
    return KINDS[name](low, high)


def _distance(position: Array, goal: Array) -> Array:
    offset = (position - goal).astype(np.float64)
    return np.asarray(np.hypot(offset[..., 0], offset[..., 1]))
