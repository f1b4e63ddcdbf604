"""Layers that the shipped modules share: Xavier-uniform weights and zero biases, as perceptrons have."""

import math
from collections.abc import Iterable
from typing import Any, TypeVar

import gymnasium as gym
import torch
from gymnasium import spaces
from jaxtyping import Float
from torch import Tensor, nn

from maml_rl.errors import UsageError, is_number
from maml_rl.policies.factory import nonlinearity_named
from maml_rl.policies.spaces import action_size, discrete_kind

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)
MIN_LOG_STD = math.log(1e-6)
"""Clamp of log standard deviations, as perceptrons have it."""


class Hidden(nn.Module):
    """Hidden layers of a perceptron.

    Args:
        normalized: put a LayerNorm between each layer and its nonlinearity (Ba et al. 2016).
    """

    def __init__(self, size: int, hidden_sizes: Iterable[int], nonlinearity: str, normalized: bool = False):
        super().__init__()
        self.nonlinearity = nonlinearity_named(nonlinearity)
        self.layers = nn.ModuleList()
        for width in positive_integers("hidden_sizes", hidden_sizes):
            layer = initialised(nn.Linear(size, width))
            self.layers.append(nn.Sequential(layer, nn.LayerNorm(width)) if normalized else layer)
            size = width
        self.size = size
        """Features that come out."""

    def forward(self, inputs: Float[Tensor, "B *shape"]) -> Float[Tensor, "B F"]:
        """Return the features."""
        features = inputs.flatten(1)
        for layer in self.layers:
            features = self.nonlinearity(layer(features))
        return features


class Head(nn.Module):
    """Last layer: logits, or means beside one trainable log standard deviation per action dimension.

    Args:
        size: features that come in.
        init_gain: factor of the initial weights.
    """

    def __init__(self, size: int, action_space: gym.Space[Any], init_std: float, init_gain: float):
        super().__init__()
        self.discrete = discrete_kind(action_space) is not None
        actions = action_size(action_space)
        self.output = initialised(nn.Linear(size, actions), init_gain)
        if not self.discrete:
            self.log_std = nn.Parameter(torch.full((actions,), log_of("init_std", init_std)))

    def forward(self, features: Float[Tensor, "B F"]) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits, or mean and log-std."""
        outputs: Tensor = self.output(features)
        return outputs if self.discrete else (outputs, self.log_std.clamp(min=MIN_LOG_STD))


def initialised(layer: Layer, gain: float = 1.0) -> Layer:
    """Draw the layer's weights anew, times ``gain``; set its biases to 0."""
    nn.init.xavier_uniform_(layer.weight, gain)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def positive_integers(name: str, values: object) -> tuple[int, ...]:
    """Check that the argument ``name`` is a sequence of whole numbers above 0, and return it.

    Raises:
        UsageError: it is not.
    """
    whole = isinstance(values, list | tuple) and all(type(x) is int and x > 0 for x in values)
    if not (isinstance(values, list | tuple) and whole):
        raise UsageError(f"{name}: expected a list of whole numbers above 0, got {values!r}")
    return tuple(values)


def log_of(name: str, value: object) -> float:
    """Return the logarithm of the argument ``name``.

    Raises:
        UsageError: it is not a number above 0.
    """
    if not (is_number(value) and value > 0):
        raise UsageError(f"{name}: expected a number above 0, got {value!r}")
    return math.log(value)


def check_continuous(action_space: gym.Space[Any], bounded: bool = False) -> spaces.Box:
    """Return the action space if it is a Box, and bounded where that is needed.

    Raises:
        UsageError: it is not.
    """
    if not isinstance(action_space, spaces.Box) or (bounded and not action_space.is_bounded()):
        raise UsageError(f"expected {'bounded' if bounded else 'continuous'} actions, got {action_space}")
    return action_space
