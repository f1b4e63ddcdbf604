"""Several discrete actions at once, each with logits of its own."""

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent

from maml_rl.policies.distributions import CategoricalLogits


class _Numbers(NamedTuple):
    logits: Float[Tensor, "*B A"]


class MultiCategorical(_Numbers):
    """Independent choices, D of them: choice ``d`` is one of ``sizes[d]``, and A is their sum.

    The sizes are the class's: `multi_categorical` makes the class of some.
    """

    sizes: ClassVar[tuple[int, ...]]

    def distribution(self) -> Distribution:
        """Return the `torch.distributions` equivalent; its event is the whole action."""
        widest, nothing = max(self.sizes), torch.finfo(self.logits.dtype).min / 2
        padded = [F.pad(p.logits, (0, widest - p.logits.shape[-1]), value=nothing) for p in self._parts()]
        return Independent(Categorical(logits=torch.stack(padded, -2)), 1)

    def sample(self, noise: Float[Tensor, "*B D"]) -> Int[Tensor, "*B D"]:
        """Turn ``noise`` uniform in [0, 1) into actions."""
        return torch.stack([p.sample(u) for p, u in zip(self._parts(), noise.unbind(-1), strict=True)], -1)

    def log_prob(self, actions: Shaped[Tensor, "*B D"]) -> Float[Tensor, "*B"]:
        """Return the log-probability of integer ``actions``, summed over choices."""
        return _sum(p.log_prob(a) for p, a in zip(self._parts(), actions.unbind(-1), strict=True))

    def kl(self, other: "MultiCategorical") -> Float[Tensor, "*B"]:
        """Return KL(self || other) in nats, summed over choices."""
        return _sum(p.kl(q) for p, q in zip(self._parts(), other._parts(), strict=True))

    def entropy(self) -> Float[Tensor, "*B"]:
        """Return the entropy in nats, summed over choices."""
        return _sum(part.entropy() for part in self._parts())

    def score(self, actions: Shaped[Tensor, "N M D"], weights: Float[Tensor, "N M"]) -> "MultiCategorical":
        """Return the gradient of ``(weights * log_prob(actions)).sum()`` in logits."""
        chosen = iter(actions.unbind(-1))
        return self._joined(lambda part: part.score(next(chosen), weights))

    def score_dot(
        self, actions: Shaped[Tensor, "N M D"], weights: Float[Tensor, "N M"], tangent: "MultiCategorical"
    ) -> "MultiCategorical":
        """Return how `score` changes in the direction ``tangent``; the actions do not matter."""
        return self.fisher(tangent, -weights)

    def fisher(self, tangent: "MultiCategorical", weights: Float[Tensor, "N M"]) -> "MultiCategorical":
        """Return the weighted Fisher matrix in logits, a block for each choice, times ``tangent``."""
        tangents = iter(tangent._parts())
        return self._joined(lambda part: part.fisher(next(tangents), weights))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.sizes, self.logits)

    def _parts(self) -> list[CategoricalLogits]:
        return [CategoricalLogits(logits) for logits in torch.split(self.logits, [*self.sizes], -1)]

    def _joined(self, function: Callable[[CategoricalLogits], CategoricalLogits]) -> "MultiCategorical":
        return type(self)(torch.cat([function(part).logits for part in self._parts()], -1))


def multi_categorical(sizes: Iterable[int]) -> type[MultiCategorical]:
    """Return the class of the distributions over choices of these sizes."""
    return _class_of(tuple(map(int, sizes)))


@cache
def _class_of(sizes: tuple[int, ...]) -> type[MultiCategorical]:
    return type("MultiCategorical", (MultiCategorical,), {"sizes": sizes})


def _rebuild(sizes: tuple[int, ...], logits: Tensor) -> MultiCategorical:
    return _class_of(sizes)(logits)


def _sum(parts: Iterable[Tensor]) -> Tensor:
    return torch.stack([*parts]).sum(0)
