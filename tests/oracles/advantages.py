"""Returns, advantages and their normalisation, one episode and one step at a time."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def discounted_returns(rewards: Array, lengths: Sequence[int], gamma: float) -> Array:
    returns = np.zeros(rewards.shape)
    for k, length in enumerate(lengths):
        for t in range(length):
            for later in range(t, length):
                returns[t, k] += gamma ** (later - t) * rewards[later, k]
    return returns


def generalized_advantages(
    rewards: Array,
    values: Array,
    lengths: Sequence[int],
    gamma: float,
    gae_lambda: float,
    last_values: Sequence[float] | Array | None = None,
) -> Array:
    """Schulman et al. 2016, eq. 16, as the sum that it is; ``last_values`` is V of what follows."""
    advantages = np.zeros(rewards.shape)
    for k, length in enumerate(lengths):
        follows = 0.0 if last_values is None else last_values[k]
        path = [*values[:length, k], follows]
        for t in range(length):
            for later in range(t, length):
                delta = rewards[later, k] + gamma * path[later + 1] - path[later]
                advantages[t, k] += (gamma * gae_lambda) ** (later - t) * delta
    return advantages


def moments(x: Array, lengths: Sequence[int], mean_over: str = "episodes") -> tuple[float, float]:
    """Mean and standard deviation over real steps: every episode with the same weight, or every step."""
    groups = [[x[t, k] for t in range(length)] for k, length in enumerate(lengths)]
    if mean_over == "steps":
        groups = [[v for episode in groups for v in episode]]
    mean = sum(sum(g) / len(g) for g in groups) / len(groups)
    variance = sum(sum((v - mean) ** 2 for v in g) / len(g) for g in groups) / len(groups)
    return mean, variance**0.5


def normalized(advantages: Array, lengths: Sequence[int], mean_over: str = "episodes") -> Array:
    mean, std = moments(advantages, lengths, mean_over)
    result = np.zeros(advantages.shape)
    for k, length in enumerate(lengths):
        for t in range(length):
            result[t, k] = (advantages[t, k] - mean) / std
    return result
