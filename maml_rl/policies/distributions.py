"""The families of action distributions, as the hot paths need them; `squashed_normal` is a file of its own.

Each is a tuple of its parameters, as a network puts them out, with the few functions that rollouts
and losses call. They build no intermediate distribution objects; `distribution` makes the
equivalent `torch.distributions` object for users, and the tests hold the one against the other.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple, Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal

LOG_SQRT_TWO_PI = 0.5 * math.log(2 * math.pi)
Same = TypeVar("Same", bound="ActionDistribution")


@runtime_checkable
class ActionDistribution(Protocol):
    """A tuple of tensors, the distribution's numbers at each step, and what rollouts and losses ask of it.

    What is a derivative by those numbers (a gradient, a tangent) comes in the same form. Shapes: N tasks, M
    steps, A action dimensions or actions.
    """

    def __init__(self, *numbers: Tensor): ...

    def __iter__(self) -> Iterator[Tensor]: ...

    def distribution(self) -> Distribution:
        """Return the `torch.distributions` equivalent."""
        ...

    def sample(self, noise: Float[Tensor, "..."]) -> Shaped[Tensor, "..."]:
        """Turn ``noise`` into actions."""
        ...

    def log_prob(self, actions: Shaped[Tensor, "..."]) -> Float[Tensor, "..."]:
        """Return the log-probability of ``actions``."""
        ...

    def kl(self: Same, other: Same) -> Float[Tensor, "..."]:
        """Return KL(self || other) in nats."""
        ...

    def entropy(self) -> Float[Tensor, "..."]:
        """Return the entropy in nats."""
        ...

    def score(self: Same, actions: Shaped[Tensor, "..."], weights: Float[Tensor, "N M"]) -> Same:
        """Return the gradient of ``(weights * log_prob(actions)).sum()``."""
        ...

    def score_dot(
        self: Same, actions: Shaped[Tensor, "..."], weights: Float[Tensor, "N M"], tangent: Same
    ) -> Same:
        """Return how `score` changes in the direction ``tangent``."""
        ...

    def fisher(self: Same, tangent: Same, weights: Float[Tensor, "N M"]) -> Same:
        """Return the weighted Fisher matrix in the distribution's numbers, times ``tangent``."""
        ...


class DiagonalNormal(NamedTuple):
    """Independent normals, ``a ~ N(mean, exp(2 log_std))``; ``log_std`` broadcasts against ``mean``.

    Derivatives are in the form of the numbers: log-stds ``[N, 1, A]`` are shared by a task's steps, whose
    parts add up; ``[N, M, A]`` are each step's own.
    """

    mean: Float[Tensor, "*B A"]
    log_std: Float[Tensor, "*S A"]

    def distribution(self) -> Distribution:
        """Return the `torch.distributions` equivalent; its event is the whole action."""
        return Independent(Normal(self.mean, self.log_std.exp()), 1)

    def sample(self, noise: Float[Tensor, "*B A"]) -> Float[Tensor, "*B A"]:
        """Turn standard normal ``noise`` into actions."""
        return self.mean + self.log_std.exp() * noise

    def log_prob(self, actions: Float[Tensor, "*B A"]) -> Float[Tensor, "*B"]:
        """Return the log-density, summed over action dimensions."""
        z = (actions - self.mean) * (-self.log_std).exp()
        constant = self.log_std.sum(-1) + LOG_SQRT_TWO_PI * self.mean.shape[-1]
        return -0.5 * (z * z).sum(-1) - constant

    def kl(self, other: "DiagonalNormal") -> Float[Tensor, "*B"]:
        """Return KL(self || other) in nats, summed over action dimensions."""
        z = (self.mean - other.mean) * (-other.log_std).exp()
        log_ratio = self.log_std - other.log_std
        scale_term = (0.5 * (2 * log_ratio).exp() - 0.5 - log_ratio).sum(-1)
        return 0.5 * (z * z).sum(-1) + scale_term

    def score(self, actions: Float[Tensor, "N M A"], weights: Float[Tensor, "N M"]) -> "DiagonalNormal":
        """Return the gradient of ``(weights * log_prob(actions)).sum()`` in (mean, log std)."""
        inverse_std = (-self.log_std).exp()
        z = (actions - self.mean) * inverse_std
        weighted = weights[..., None] * z
        return DiagonalNormal(weighted * inverse_std, self._like_log_std(weighted * z - weights[..., None]))

    def score_dot(
        self, actions: Float[Tensor, "N M A"], weights: Float[Tensor, "N M"], tangent: "DiagonalNormal"
    ) -> "DiagonalNormal":
        """Return how `score` changes in the direction ``tangent``."""
        inverse_std = (-self.log_std).exp()
        z = (actions - self.mean) * inverse_std
        mean_dot = tangent.mean * inverse_std
        weighted = weights[..., None] * (mean_dot + z * tangent.log_std)
        return DiagonalNormal(
            (weights[..., None] * z * tangent.log_std + weighted) * -inverse_std,
            -2 * self._like_log_std(weighted * z),
        )

    def entropy(self) -> Float[Tensor, "*B"]:
        """Return the entropy in nats."""
        per_scale = (self.log_std + 0.5 + LOG_SQRT_TWO_PI).sum(-1)
        return per_scale.expand(self.mean.shape[:-1])

    def fisher(self, tangent: "DiagonalNormal", weights: Float[Tensor, "N M"]) -> "DiagonalNormal":
        """Return the weighted Fisher matrix in (mean, log std) times ``tangent``.

        The matrix is diagonal: ``1 / std²`` for a mean and 2 for a log std.
        """
        inverse_variance = (-2 * self.log_std).exp()
        total = weights[..., None] if self._own_log_stds else weights.sum(-1)[:, None, None]
        return DiagonalNormal(
            weights[..., None] * inverse_variance * tangent.mean, 2 * total * tangent.log_std
        )

    def _like_log_std(self, x: Float[Tensor, "N M A"]) -> Float[Tensor, "N S A"]:
        """Sum over the steps that share a log-std."""
        return x if self._own_log_stds else x.sum(1, keepdim=True)

    @property
    def _own_log_stds(self) -> bool:
        """True if each step has a log-std of its own; for a single step it makes no difference."""
        return self.log_std.dim() > 1 and self.log_std.shape[-2] != 1


class CategoricalLogits(NamedTuple):
    """One of A actions, by unnormalised log-probabilities."""

    logits: Float[Tensor, "*B A"]

    def distribution(self) -> Distribution:
        """Return the `torch.distributions` equivalent."""
        return Categorical(logits=self.logits)

    def sample(self, noise: Float[Tensor, "*B"]) -> Int[Tensor, "*B"]:
        """Turn ``noise`` uniform in [0, 1) into actions, by inverting the distribution function."""
        cumulative = self.logits.softmax(-1).cumsum(-1)
        # The last entry is 1 but for rounding; leaving it out keeps the index within range.
        return (noise[..., None] >= cumulative[..., :-1]).sum(-1)

    def log_prob(self, actions: Shaped[Tensor, "*B"]) -> Float[Tensor, "*B"]:
        """Return the log-probability of integer ``actions``."""
        log_probs = self.logits.log_softmax(-1)
        return log_probs.gather(-1, actions.long()[..., None])[..., 0]

    def kl(self, other: "CategoricalLogits") -> Float[Tensor, "*B"]:
        """Return KL(self || other) in nats."""
        log_p, log_q = self.logits.log_softmax(-1), other.logits.log_softmax(-1)
        return (log_p.exp() * (log_p - log_q)).sum(-1)

    def score(self, actions: Shaped[Tensor, "N M"], weights: Float[Tensor, "N M"]) -> "CategoricalLogits":
        """Return the gradient of ``(weights * log_prob(actions)).sum()`` in logits."""
        taken = torch.zeros_like(self.logits).scatter_(-1, actions.long()[..., None], 1.0)
        return CategoricalLogits(weights[..., None] * (taken - self.logits.softmax(-1)))

    def score_dot(
        self, actions: Shaped[Tensor, "N M"], weights: Float[Tensor, "N M"], tangent: "CategoricalLogits"
    ) -> "CategoricalLogits":
        """Return how `score` changes in the direction ``tangent``; the actions do not matter."""
        return self.fisher(tangent, -weights)

    def entropy(self) -> Float[Tensor, "*B"]:
        """Return the entropy in nats."""
        log_p = self.logits.log_softmax(-1)
        return -(log_p.exp() * log_p).sum(-1)

    def fisher(self, tangent: "CategoricalLogits", weights: Float[Tensor, "N M"]) -> "CategoricalLogits":
        """Return the weighted Fisher matrix in logits, ``diag(p) - p pᵀ``, times ``tangent``."""
        p = self.logits.softmax(-1)
        mean = (p * tangent.logits).sum(-1, keepdim=True)
        return CategoricalLogits(weights[..., None] * p * (tangent.logits - mean))
