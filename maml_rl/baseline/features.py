"""Inputs of the baselines' regressions."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.advantages import features_of

TIME_SCALE = 100.0
"""Steps per unit of the time feature."""
ROUNDING = 1e-6
"""Part of its mean below which the deviation of an observation, a float32, is nothing but rounding."""
TINY = 1e-37
"""Deviation below which one over it would be no float32."""


def polynomials(observations: Float[Tensor, "*B O"], times: Float[Tensor, "*T"]) -> Float[Tensor, "*B F"]:
    """Return obs, obs², t/100, its square and cube, and 1, in float64 (Duan et al. 2016, rllab).

    Args:
        times: the time step of each observation.
    """
    # Written in place: at this size, temporaries cost more than the arithmetic.
    size, time = observations.shape[-1], times / TIME_SCALE
    features = observations.new_empty((*observations.shape[:-1], features_of(size)), dtype=torch.float64)
    features[..., :size] = observations
    torch.square(features[..., :size], out=features[..., size : 2 * size])
    for i, value in enumerate((time, time**2, time**3, torch.ones_like(time))):
        features[..., 2 * size + i] = value
    return features


def scale_of(deviation: Float[Tensor, "F"], mean: Float[Tensor, "F"]) -> Float[Tensor, "F"]:
    """Return what makes a deviation 1; 0 for what does not vary, which tells nothing."""
    varies = (deviation > ROUNDING * mean.abs()) & (deviation > TINY)
    return torch.where(varies, 1 / deviation, 0.0)


@dataclass(frozen=True)
class Scaling:
    """A shift and a scale for each column.

    Args:
        mean: ``[F]``, taken off.
        scale: ``[F]``, multiplied with afterwards; 0 for a column that does not vary.
    """

    mean: Float[Tensor, "F"]
    scale: Float[Tensor, "F"]

    @classmethod
    def of(cls, columns: Float[Tensor, "n F"]) -> "Scaling":
        """Return what gives ``columns`` mean 0 and deviation 1."""
        mean = columns.mean(0)
        deviation = (columns - mean).square().mean(0).sqrt()
        return cls(mean, scale_of(deviation, mean))

    def __call__(self, columns: Float[Tensor, "*B F"]) -> Float[Tensor, "*B F"]:
        """Return ``columns`` shifted and scaled."""
        return (columns - self.mean) * self.scale
