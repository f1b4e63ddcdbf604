"""Flat vectors of parameters and their named parts."""

from collections.abc import Iterable, Mapping
from functools import cached_property

import torch
from jaxtyping import Float
from torch import Tensor

Params = Mapping[str, Tensor]
"""Parameters by name; each may have leading dimensions before its own shape."""


class Layout:
    """The names and shapes of the parts of a flat vector, in order.

    Args:
        shapes: of each part, by name.
    """

    def __init__(self, shapes: Mapping[str, torch.Size]):
        self.shapes = dict(shapes)

    @cached_property
    def size(self) -> int:
        """Numbers in one vector, P."""
        return sum(self._sizes)

    def view(self, vectors: Float[Tensor, "*N P"]) -> dict[str, Tensor]:
        """View vectors as named parts, ``[*N, *shape]``."""
        pieces = torch.split(vectors, self._sizes, dim=-1)
        lead = vectors.shape[:-1]
        return {
            name: piece.view((*lead, *shape))
            for (name, shape), piece in zip(self.shapes.items(), pieces, strict=True)
        }

    def join(self, parts: Params) -> Float[Tensor, "P"]:
        """Return one vector that holds copies of the named parts."""
        return torch.cat([parts[name].detach().reshape(-1) for name in self.shapes])

    def mask(self, names: Iterable[str]) -> Float[Tensor, "P"]:
        """Return 1 for the numbers of the named parts, 0 for the others.

        Raises:
            KeyError: there is no such part.
        """
        mask = torch.zeros(self.size)
        parts = self.view(mask)
        for name in names:
            parts[name].fill_(1.0)
        return mask

    @cached_property
    def _sizes(self) -> list[int]:
        return [shape.numel() for shape in self.shapes.values()]
