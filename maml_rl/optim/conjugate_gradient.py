"""Conjugate gradient for ``A x = b``, where ``A`` is known only by its products."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

Product = Callable[[Float[Tensor, "P"]], Float[Tensor, "P"]]


class Solution(NamedTuple):
    """``x``, and what is left, ``b - A x``."""

    x: Float[Tensor, "P"]
    residual: Float[Tensor, "P"]


def conjugate_gradient(
    product: Product, b: Float[Tensor, "P"], iterations: int = 10, residual_tolerance: float = 1e-10
) -> Solution:
    """Solve ``A x = b`` for symmetric positive definite ``A`` (Hestenes & Stiefel 1952).

    Stops after ``iterations``, or when the squared residual falls below ``residual_tolerance``.
    The vectors are kept in float64: in float32 the directions lose their conjugacy.
    """
    b = b.double()
    x = torch.zeros_like(b)
    residual = b.clone()
    direction = b.clone()
    squared = residual.dot(residual)
    for _ in range(iterations):
        if squared.item() < residual_tolerance:
            break
        image = product(direction).double()
        step = squared / direction.dot(image)
        x += step * direction
        residual -= step * image
        previous, squared = squared, residual.dot(residual)
        direction = residual + squared / previous * direction
    return Solution(x, residual)
