"""What observation and action spaces ask of a policy."""

import math
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from gymnasium import spaces
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.errors import UsageError
from maml_rl.policies.distributions import ActionDistribution, CategoricalLogits
from maml_rl.policies.multi_categorical import multi_categorical


def observation_size(space: gym.Space[Any]) -> int:
    """Return the numbers in one observation, O.

    Raises:
        UsageError: the observations are not arrays.
    """
    if not isinstance(space, spaces.Box) or space.shape is None:
        raise UsageError(f"observations: expected a Box, got {space}")
    return math.prod(space.shape)


def action_size(space: gym.Space[Any]) -> int:
    """Return the action dimensions, or for discrete actions the logits, A.

    Raises:
        UsageError: the space is none that `maml_rl.envs.make_env` makes of any action space.
    """
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return space.shape[0]
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete) and space.nvec.ndim == 1 and not space.start.any():
        return int(space.nvec.sum())
    raise UsageError(
        "actions: expected a one-dimensional Box, Discrete(n) or MultiDiscrete, "
        f"as environments of make_env have them, got {space}"
    )


def discrete_kind(space: gym.Space[Any]) -> Callable[..., ActionDistribution] | None:
    """Return what makes a distribution of logits ``[*B, A]``; None if the actions are continuous."""
    if isinstance(space, spaces.MultiDiscrete):
        return multi_categorical(space.nvec.tolist())
    return CategoricalLogits if isinstance(space, spaces.Discrete) else None


def action_shape(space: gym.Space[Any]) -> tuple[int, ...]:
    """Return the shape of an action, and of the noise that makes one: none for a single discrete action."""
    return tuple(space.shape or ())


def action_features(space: gym.Space[Any], actions: Tensor) -> Float[Tensor, "*B A"]:
    """Return actions as a network takes them: continuous ones as they are, discrete ones one-hot."""
    if isinstance(space, spaces.Discrete):
        return F.one_hot(actions.long(), int(space.n)).float()
    if isinstance(space, spaces.MultiDiscrete):
        choices = zip(actions.long().unbind(-1), space.nvec.tolist(), strict=True)
        return torch.cat([F.one_hot(chosen, number) for chosen, number in choices], dim=-1).float()
    return actions.float()


def draw_noise(
    space: gym.Space[Any], rng: np.random.Generator, shape: tuple[int, ...]
) -> NDArray[np.float32]:
    """Draw what becomes actions: uniforms in [0, 1) for discrete ones, standard normals for others."""
    whole = (*shape, *action_shape(space))
    if discrete_kind(space) is None:
        return rng.standard_normal(whole, dtype=np.float32)
    return rng.random(whole, dtype=np.float32)
