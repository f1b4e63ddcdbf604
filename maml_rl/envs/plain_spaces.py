"""Environments with spaces of any kind, brought to the few that policies know.

Observations become a Box: a scalar a vector of one number; Discrete, MultiDiscrete, MultiBinary, Dict and
Tuple what `gymnasium.spaces.flatten` makes of them (one-hot numbers; a Dict in the order of its keys).
Actions become a vector, one choice of n, or several choices.
"""

from collections.abc import Iterator
from typing import Any, cast

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.wrappers import ReshapeObservation

from maml_rl.envs.contract import array_of
from maml_rl.envs.task_env import Array, TaskVectorEnv
from maml_rl.errors import UsageError, shown

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


def check_alike(name: str, env: gym.Env[Any, Any], batch: TaskVectorEnv) -> None:
    """Check that a batched environment has spaces like those of the single one, which the policy is made for.

    Raises:
        UsageError: they are of another kind, shape or size.
    """
    pairs = {
        "observations": (env.observation_space, batch.single_observation_space),
        "actions": (env.action_space, batch.single_action_space),
    }
    for what, (single, batched) in pairs.items():
        if _outline(single) != _outline(batched):
            raise UsageError(
                f"environment '{name}': {what} are {single}, those of its batched version {batched}"
            )


def _outline(space: gym.Space[Any]) -> tuple[Any, ...]:
    """Return all of a plain space but its bounds and its type of numbers."""
    return type(space), space.shape, getattr(space, "n", None), np.ravel(getattr(space, "nvec", ())).tolist()


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
    return FlatObservations(env)


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
        is_plain = len(space.shape) == 1 and space.dtype == np.float32
        return env if is_plain and not bounded else BoxActions(env, bounded)
    if isinstance(space, spaces.Discrete):
        is_plain = not space.start and space.dtype == np.int64
        return env if is_plain else ShiftedActions(env, spaces.Discrete(space.n))
    if isinstance(space, spaces.MultiDiscrete):
        is_plain = space.nvec.ndim == 1 and not space.start.any() and space.dtype == np.int64
        return env if is_plain else ShiftedActions(env, spaces.MultiDiscrete(space.nvec.ravel()))
    if isinstance(space, spaces.MultiBinary):
        return ShiftedActions(env, spaces.MultiDiscrete(np.full(np.prod(space.shape), 2)))
    raise UsageError(
        f"environment '{_name(env)}': actions: expected a Box of real numbers, Discrete, MultiDiscrete or "
        f"MultiBinary, got {space}: wrap the environment"
    )


def _name(env: gym.Env[Any, Any]) -> str:
    return env.spec.id if env.spec else type(env.unwrapped).__name__


class FlatObservations(gym.ObservationWrapper[Array, Any, Any]):
    """Makes observations vectors, as `gymnasium.spaces.flatten` does.

    Choices have to be in their space: -1, say, would be encoded as the last one.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        super().__init__(env)
        self._inner = env.observation_space
        self.observation_space = cast("gym.Space[Array]", spaces.flatten_space(self._inner))

    def observation(self, observation: Any) -> Array:
        """Return the vector.

        Raises:
            UsageError: an observation is not in its space.
        """
        try:
            _check_choices(self._inner, observation)
            return np.asarray(spaces.flatten(self._inner, observation))
        except UsageError:
            raise
        except (LookupError, TypeError, ValueError, AttributeError):
            raise _not_in(self._inner, observation) from None


def _not_in(space: gym.Space[Any], observation: Any) -> UsageError:
    return UsageError(f"the environment observed {shown(observation)}, which is not in {space}")


def _check_choices(space: gym.Space[Any], observation: Any) -> None:
    """Check what of an observation is a choice, or several.

    Raises:
        UsageError: it is not in its space.
    """
    if isinstance(space, spaces.Dict):
        for name, part in space.spaces.items():
            _check_choices(part, observation[name])
    elif isinstance(space, spaces.Tuple):
        for part, value in zip(space.spaces, observation, strict=True):
            _check_choices(part, value)
    elif not isinstance(space, spaces.Box):
        choice = array_of(observation)
        if not space.contains(choice.astype(np.int8) if choice.dtype == bool else choice):
            raise _not_in(space, observation)


class BoxActions(gym.ActionWrapper[Any, Array, Any]):
    """Takes actions as a vector of float32, whatever the shape and type of the environment's Box.

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
        return np.minimum(np.maximum(action, low), high).reshape(self._box.shape).astype(low.dtype)


class ShiftedActions(gym.ActionWrapper[Any, Any, Any]):
    """Takes choices that count from 0, int64 in one dimension, for an environment of others.

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
