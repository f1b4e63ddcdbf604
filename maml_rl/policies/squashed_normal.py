"""A normal squashed by tanh into a bounded Box of actions."""

import math
from collections.abc import Iterable
from functools import cache
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor
from torch.distributions import (
    AffineTransform,
    Distribution,
    Independent,
    Normal,
    TanhTransform,
    TransformedDistribution,
)

from maml_rl.policies.distributions import DiagonalNormal

NODES = 32
"""Points of the Gauss-Hermite rule that `SquashedNormal.entropy` takes in each action dimension."""


class Bounds(NamedTuple):
    """Tensors ``[A]`` that go with actions in a Box."""

    low: Tensor
    high: Tensor
    center: Tensor
    width: Tensor
    edge: Tensor
    """Distance from a bound that float32 no longer tells from the bound itself."""


class _Numbers(NamedTuple):
    mean: Float[Tensor, "*B A"]
    log_std: Float[Tensor, "*S A"]


class SquashedNormal(_Numbers):
    """``a = center + half_width * tanh(u)``, where ``u`` is a `DiagonalNormal` of the same two numbers.

    The bounds are the class's, as they are what the numbers mean and never change: `squashed_normal` makes
    the class of a Box. Actions within a rounding error of a bound, where ``u`` is lost in float32, count as
    half that error away from it, about ``|u| = 9``: probabilities and scores stay finite, and are the same
    function of the policy for every such action.
    """

    limits: ClassVar[tuple[tuple[float, ...], tuple[float, ...]]]
    """``low`` and ``high``."""

    def distribution(self) -> Distribution:
        """Return the `torch.distributions` equivalent; its event is the whole action."""
        bounds = self._bounds()
        scale = AffineTransform(bounds.center, 0.5 * bounds.width, cache_size=1)
        squash = [TanhTransform(cache_size=1), scale]
        return Independent(TransformedDistribution(Normal(self.mean, self.log_std.exp()), squash), 1)

    def sample(self, noise: Float[Tensor, "*B A"]) -> Float[Tensor, "*B A"]:
        """Turn standard normal ``noise`` into actions, none outside the Box."""
        low, high, center, width, _ = self._bounds()
        squashed = torch.tanh(self.mean + self.log_std.exp() * noise)
        return torch.clamp(center + 0.5 * width * squashed, low, high)

    def log_prob(self, actions: Float[Tensor, "*B A"]) -> Float[Tensor, "*B"]:
        """Return the log-density of ``actions``, summed over action dimensions."""
        u, log_slope = self._unsquash(actions)
        return DiagonalNormal(*self).log_prob(u) - log_slope.sum(-1)

    def kl(self, other: "SquashedNormal") -> Float[Tensor, "*B"]:
        """Return KL(self || other) in nats: that of the normals, since both are squashed alike."""
        return DiagonalNormal(*self).kl(DiagonalNormal(*other))

    def entropy(self) -> Float[Tensor, "*B"]:
        """Return the entropy in nats: the normal's plus ``E[log da/du]``, by Gauss-Hermite quadrature.

        Its error in each action dimension is at most 1e-7 for a standard deviation of ``u`` up to 1, 2e-4 up
        to 2, and 4e-3 up to 3.
        """
        std, expected = self.log_std.exp(), torch.zeros_like(self.mean)
        for node, weight in _gauss_hermite():
            u = self.mean + std * node
            expected = expected + weight * (math.log(2) - u - F.softplus(-2 * u))
        log_slope = (2 * expected + (0.5 * self._bounds().width).log()).sum(-1)
        return DiagonalNormal(*self).entropy() + log_slope

    def score(self, actions: Float[Tensor, "N M A"], weights: Float[Tensor, "N M"]) -> "SquashedNormal":
        """Return the gradient of ``(weights * log_prob(actions)).sum()`` in (mean, log std)."""
        return self._like(DiagonalNormal(*self).score(self._unsquash(actions)[0], weights))

    def score_dot(
        self, actions: Float[Tensor, "N M A"], weights: Float[Tensor, "N M"], tangent: "SquashedNormal"
    ) -> "SquashedNormal":
        """Return how `score` changes in the direction ``tangent``."""
        u, _ = self._unsquash(actions)
        return self._like(DiagonalNormal(*self).score_dot(u, weights, DiagonalNormal(*tangent)))

    def fisher(self, tangent: "SquashedNormal", weights: Float[Tensor, "N M"]) -> "SquashedNormal":
        """Return the weighted Fisher matrix in (mean, log std), the normal's, times ``tangent``."""
        return self._like(DiagonalNormal(*self).fisher(DiagonalNormal(*tangent), weights))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (*self.limits, *self)

    def _unsquash(self, actions: Float[Tensor, "*B A"]) -> tuple[Tensor, Tensor]:
        """Return ``u`` and ``log da/du``."""
        low, high, _, width, edge = self._bounds()
        # The distances from the bounds are exact near them; atanh of a scaled action would lose that.
        below = torch.clamp(actions - low, edge, width).log()
        above = torch.clamp(high - actions, edge, width).log()
        return 0.5 * (below - above), below + above - (0.5 * width).log()

    def _bounds(self) -> Bounds:
        return _tensors(*self.limits, self.mean.dtype, self.mean.device)

    def _like(self, numbers: Iterable[Tensor]) -> "SquashedNormal":
        return type(self)(*numbers)


def squashed_normal(low: Iterable[float], high: Iterable[float]) -> type[SquashedNormal]:
    """Return the class of the distributions whose actions are in the Box of ``low`` and ``high``.

    Raises:
        ValueError: the Box is not bounded, or is empty.
    """
    return _class_of(tuple(map(float, low)), tuple(map(float, high)))


@cache
def _class_of(low: tuple[float, ...], high: tuple[float, ...]) -> type[SquashedNormal]:
    if not all(-math.inf < a < b < math.inf for a, b in zip(low, high, strict=True)):
        raise ValueError(f"expected finite bounds, low below high, got {[*low]} and {[*high]}")
    return type("SquashedNormal", (SquashedNormal,), {"limits": (low, high)})


def _rebuild(
    low: tuple[float, ...], high: tuple[float, ...], mean: Tensor, log_std: Tensor
) -> SquashedNormal:
    return _class_of(low, high)(mean, log_std)


@cache
def _tensors(
    low: tuple[float, ...], high: tuple[float, ...], dtype: torch.dtype, device: torch.device
) -> Bounds:
    """Return the bounds as float32 holds them, none outside the Box."""
    a, b = _inwards(low, np.inf), _inwards(high, -np.inf)
    # Rounding errors of tanh, and of actions that are far from 0, at the bounds.
    largest = np.maximum(np.abs(a), np.abs(b)).astype(np.float32)
    spacing = (largest - np.nextafter(largest, np.float32(0))).astype(np.float64)
    edge = np.maximum((b - a) * 2.0**-26, spacing / 2)
    with torch.inference_mode(False):  # Rollouts may ask first, and autograd later.
        return Bounds(
            *(torch.as_tensor(x, dtype=dtype, device=device) for x in (a, b, (a + b) / 2, b - a, edge))
        )


def _inwards(bound: tuple[float, ...], inside: float) -> NDArray[np.float64]:
    exact = np.array(bound, np.float64)
    rounded = exact.astype(np.float32)
    outside = rounded < exact if inside > 0 else rounded > exact
    return np.where(outside, np.nextafter(rounded, np.float32(inside)), rounded).astype(np.float64)


@cache
def _gauss_hermite() -> list[tuple[float, float]]:
    """Return nodes and weights of an expectation over a standard normal."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    return [(float(x), float(w)) for x, w in zip(nodes, weights / weights.sum(), strict=True)]
