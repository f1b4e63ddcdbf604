"""Ridge regressions on many features: under all ridges at once, and of several parts of the rows.

The equations ``(Xᵀ C X + ridge I) w = Xᵀ C y``, where C centres the rows that are fitted, have one Krylov
space ``span{b, A b, A² b, …}``, ``A = Xᵀ C X`` and ``b = Xᵀ C y``, whatever the ridge (Jegerlehner 1996). A
few products with X find the solutions under all but the weakest ridges, where a factor of ``A + ridge I``
takes the cube of the features for each.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

ROUNDING = 1e4
"""Times the type's own, the part of a product up to which what it adds to a space is rounding."""
MOST_AXES = 100
"""Axes of a space; what they do not describe is shrunk to nothing, as under a stronger ridge."""


class Solutions(NamedTuple):
    """Solutions of S regressions under R ridges each."""

    coefficients: Float[Tensor, "S R k"]
    """Weights, along the axes of the space."""
    intercepts: Float[Tensor, "S R"]
    residuals: Float[Tensor, "S R"]
    """Lengths of what is left of the equations, over that of b."""
    errors: Float[Tensor, "R"]
    """Squared errors in the rows that a regression is not fitted to, those of all regressions together."""


class KrylovSpaces:
    """Krylov spaces of S regressions on the same features, spanned by orthonormal axes (Lanczos' process).

    Args:
        design: a row per step and a column per feature.
        targets: of the rows.
        fitted: the rows of each regression. Its intercept is not shrunk.
    """

    def __init__(
        self, design: Float[Tensor, "n d"], targets: Float[Tensor, "n"], fitted: Bool[Tensor, "S n"]
    ):
        most = min(MOST_AXES, *design.shape)
        self.size, self._most = 0, most
        self._design, self._targets = design, targets
        self._fitted = fitted.to(design.dtype)
        self._rows = self._fitted.sum(-1, keepdim=True)
        # Here and below, the narrow factor first: BLAS takes half the time.
        start = self._centred(targets) @ design
        self._start = self._rest = _length(start)
        self._next = _direction(start, 0 * self._start)
        self._axes = start.new_empty(len(fitted), most, design.shape[1])
        self._values = start.new_empty(len(fitted), most, design.shape[0])
        self._matrices = start.new_empty(len(fitted), most, most)

    @property
    def full(self) -> bool:
        """True if no axis can be added."""
        return self.size == self._most

    def extend(self, axes: int) -> None:
        """Add axes, as many as there is room for; zeros to a space that holds all solutions already."""
        for _ in range(min(axes, self._most - self.size)):
            self._add_axis()

    def _add_axis(self) -> None:
        k = self.size
        self.size += 1
        self._axes[:, k] = self._next
        self._values[:, k] = self._next @ self._design.mT
        image = self._centred(self._values[:, k]) @ self._design
        axes, rest, row = self._axes[:, : self.size], image, self._matrices[:, k, : self.size]
        row[:] = 0.0
        # From all axes, and twice, because rounding brings back what there is already.
        for _ in range(2):
            components = axes @ rest[..., None]
            rest = rest - (components.mT @ axes)[:, 0]
            row += components[..., 0]
        self._rest = _length(rest)
        least = ROUNDING * torch.finfo(image.dtype).eps * _length(image)
        self._next = _direction(rest, least)

    def solve(self, ridges: Sequence[float]) -> Solutions:
        """Return the solutions that the spaces hold, under each of the ridges per row."""
        penalties = self._rows * self._rows.new_tensor(ridges)
        variances, rotations = torch.linalg.eigh(self._matrices[:, : self.size, : self.size])
        shrunk = variances[:, None] + penalties[..., None]
        coefficients = (rotations[:, :1] * self._start[..., None] / shrunk) @ rotations.mT
        left = self._targets - coefficients @ self._values[:, : self.size]
        intercepts = (left @ self._fitted[..., None])[..., 0] / self._rows
        held_out = (left - intercepts[..., None]) * (1 - self._fitted[:, None])
        unsolved = coefficients[..., -1].abs() * self._rest
        residuals = torch.where(self._start > 0, unsolved / self._start, 0.0)
        return Solutions(coefficients, intercepts, residuals, held_out.square().sum((0, 2)))

    def weights(self, coefficients: Float[Tensor, "S k"]) -> Float[Tensor, "S d"]:
        """Return the features' weights."""
        return (coefficients[:, None] @ self._axes[:, : self.size])[:, 0]

    def _centred(self, x: Float[Tensor, "... n"]) -> Float[Tensor, "S n"]:
        """Return the rows that are fitted, less their mean; 0 in the others."""
        kept = x * self._fitted
        return kept - self._fitted * (kept.sum(-1, keepdim=True) / self._rows)


def _length(vectors: Float[Tensor, "S d"]) -> Float[Tensor, "S 1"]:
    return vectors.norm(dim=-1, keepdim=True)


def _direction(vectors: Float[Tensor, "S d"], least: Float[Tensor, "S 1"]) -> Float[Tensor, "S d"]:
    """Return the vectors at length 1, and 0 for those that are no longer than ``least``."""
    length = _length(vectors)
    return torch.where(length > least, vectors / length, 0.0)
