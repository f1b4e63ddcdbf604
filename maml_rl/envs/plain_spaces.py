"""Environments with spaces of any kind, brought to the few that policies know.

Observations become a Box: a scalar a vector of one number; Discrete, MultiDiscrete, MultiBinary, Dict and
Tuple what `gymnasium.spaces.flatten` makes of them (one-hot numbers; a Dict in the order of its keys).
Actions become a vector, one choice of n, or several choices.
"""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import FlattenObservation, ReshapeObservation

from maml_rl.envs.task_env import Array
from maml_rl.errors import UsageError

KINDS = (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)
"""Spaces whose flattened numbers a network can look at."""


def with_plain_spaces(env: gym.Env[Any, Any], clip_actions: bool) -> gym.Env[Any, Any]:
    """Wrap an environment whose spaces are not plain.

    Args:
        clip_actions: whether actions outside of a finite Box are moved to its edge.

    Raises:
        UsageError: its observations or actions are of a kind that cannot be brought to numbers.
    """
    return _with_plain_actions(_with_plain_observations(env), clip_actions)


def _with_plain_observations(env: gym.Env[Any, Any]) -> gym.Env[Any, Any]:
    space = env.observation_space
    if not all(isinstance(part, KINDS) for part in _parts(space)):
        raise UsageError(
            f"environment '{_name(env)}': observations: expected a Box, Discrete, MultiDiscrete or "
            f"MultiBinary, or a Dict or Tuple of such, got {space}: wrap the environment"
        )
    if not spaces.flatdim(space):
        raise UsageError(
            f"environment '{_name(env)}': observations: expected a number or more, got {space}: "
            "wrap the environment, so that it returns a constant"
        )
    if isinstance(space, spaces.Box):
        return env if space.shape else ReshapeObservation(env, (1,))
    return FlattenObservation(env)


def _parts(space: gym.Space[Any]) -> Iterator[gym.Space[Any]]:
    """Yield the spaces that a space consists of."""
    if isinstance(space, spaces.Dict | spaces.Tuple):
        for part in space.spaces.values() if isinstance(space, spaces.Dict) else space.spaces:
            yield from _parts(part)
    else:
        yield space


def _with_plain_actions(env: gym.Env[Any, Any], clip_actions: bool) -> gym.Env[Any, Any]:
    space = env.action_space
    if space.shape and 0 in space.shape:
        raise UsageError(
            f"environment '{_name(env)}': actions: expected a number or more, got {space}: "
            "wrap the environment"
        )
    if isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
        bounded = clip_actions and bool(np.isfinite(space.low).all() and np.isfinite(space.high).all())
        return BoxActions(env, bounded) if bounded or len(space.shape) != 1 else env
    if isinstance(space, spaces.Discrete):
        return ShiftedActions(env, spaces.Discrete(space.n)) if space.start else env
    if isinstance(space, spaces.MultiDiscrete):
        is_plain = space.nvec.ndim == 1 and not space.start.any()
        return env if is_plain else ShiftedActions(env, spaces.MultiDiscrete(space.nvec.ravel()))
    if isinstance(space, spaces.MultiBinary):
        return ShiftedActions(env, spaces.MultiDiscrete(np.full(np.prod(space.shape), 2)))
    raise UsageError(
        f"environment '{_name(env)}': actions: expected a Box of real numbers, Discrete, MultiDiscrete or "
        f"MultiBinary, got {space}: wrap the environment"
    )


def _name(env: gym.Env[Any, Any]) -> str:
    return env.spec.id if env.spec else type(env.unwrapped).__name__


class BoxActions(gym.ActionWrapper[Any, Array, Any]):
    """Takes actions as a vector, whatever the shape of the environment's Box.

    Args:
        clip: whether those outside of the Box are moved to its edge.
    """

    def __init__(self, env: gym.Env[Any, Any], clip: bool):
        super().__init__(env)
        self._box = env.action_space
        assert isinstance(self._box, spaces.Box)
        low, high = self._box.low.ravel(), self._box.high.ravel()
        self.action_space = spaces.Box(low, high, dtype=low.dtype.type)
        self._edges = (low, high) if clip else (np.full_like(low, -np.inf), np.full_like(high, np.inf))

    def action(self, action: Array) -> Array:
        """Return the action as the environment takes it."""
        low, high = self._edges
        return np.minimum(np.maximum(action, low), high).reshape(self._box.shape)


class ShiftedActions(gym.ActionWrapper[Any, Any, Any]):
    """Takes choices that count from 0, in one dimension, for an environment of others.

    Args:
        plain: the space of the actions that are taken.
    """

    def __init__(self, env: gym.Env[Any, Any], plain: gym.Space[Any]):
        super().__init__(env)
        self._inner, self.action_space = env.action_space, plain

    def action(self, action: Any) -> Any:
        """Return the action as the environment takes it."""
        shifted = np.reshape(action, self._inner.shape or ()) + getattr(self._inner, "start", 0)
        return np.asarray(shifted, self._inner.dtype)[()]
