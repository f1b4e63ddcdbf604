"""Policies that see observations normalised by the run's statistics, which are parts of theta."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import Float
from torch import Tensor

from maml_rl.parameters import Params
from maml_rl.policies.base import Policy
from maml_rl.policies.extended import ExtendedPolicy

OBSERVATION_MEAN = "meta.observation_mean"
OBSERVATION_SCALE = "meta.observation_scale"
"""The parts of theta that are subtracted from observations, and multiplied with what is left."""
REWARD_SCALE = "meta.reward_scale"
"""The part of theta that rewards are multiplied with before advantages are computed."""
FARTHEST = 10.0
"""Standard deviations from the mean at which observations are clipped."""


def normalized_space(space: gym.Space[Any]) -> spaces.Box:
    """Return the space of normalised observations."""
    return spaces.Box(-FARTHEST, FARTHEST, space.shape or (), np.float32)


def no_statistics(size: int) -> dict[str, Tensor]:
    """Return the parts of theta before anything was observed, of ``size`` numbers each."""
    return {OBSERVATION_MEAN: torch.zeros(size), OBSERVATION_SCALE: torch.ones(size)}


def normalized(observations: Float[Tensor, "*B O"], params: Params) -> Float[Tensor, "*B O"]:
    """Return ``(observation - mean) * scale``, clipped."""
    mean, scale = params[OBSERVATION_MEAN], params[OBSERVATION_SCALE]
    if mean.dim() == 2:  # One of each task, [N, O].
        shape = (len(mean), *(1,) * (observations.dim() - 2), mean.shape[1])
        mean, scale = mean.view(shape), scale.view(shape)
    return ((observations - mean) * scale).clamp(-FARTHEST, FARTHEST)


class NormalizedPolicy(ExtendedPolicy):
    """A policy that sees ``(observation - mean) * scale``, clipped; at first, mean and scale are 0 and 1."""

    def __init__(self, policy: Policy):
        size = policy.input_size
        super().__init__(policy, no_statistics(size))

    def seen(self, observations: Float[Tensor, "*B O"], params: Params) -> Float[Tensor, "*B O"]:
        """Return the observations, normalised."""
        return normalized(observations, params)
