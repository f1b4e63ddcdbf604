"""Sizes that observation and action spaces ask of a policy."""

import math
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from maml_rl.errors import UsageError


def observation_size(space: gym.Space[Any]) -> int:
    """Return the numbers in one observation, O.

    Raises:
        UsageError: the observations are not arrays.
    """
    if not isinstance(space, spaces.Box) or space.shape is None:
        raise UsageError(f"observations: expected a Box, got {space}")
    return math.prod(space.shape)


def action_size(space: gym.Space[Any]) -> int:
    """Return the action dimensions, or the number of discrete actions, A.

    Raises:
        UsageError: the action space is neither a vector nor discrete.
    """
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return space.shape[0]
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return int(space.n)
    raise UsageError(f"actions: expected a one-dimensional Box or Discrete(n), got {space}")
