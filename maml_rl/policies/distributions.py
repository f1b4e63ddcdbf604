"""The two families of action distributions, as the hot paths need them.

Each is a tuple of its parameters, as a network puts them out, with the few functions that rollouts
and losses call. They build no intermediate distribution objects; `distribution` makes the
equivalent `torch.distributions` object for users, and the tests hold the one against the other.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal

LOG_SQRT_TWO_PI = 0.5 * math.log(2 * math.pi)


class DiagonalNormal(NamedTuple):
    """Independent normals with a state-independent scale: ``log_std`` broadcasts against ``mean``."""

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
        return DiagonalNormal(
            weighted * inverse_std, (weighted * z - weights[..., None]).sum(1, keepdim=True)
        )

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
            -2 * (weighted * z).sum(1, keepdim=True),
        )

    def entropy(self) -> Float[Tensor, "*B"]:
        """Return the entropy in nats."""
        per_scale = (self.log_std + 0.5 + LOG_SQRT_TWO_PI).sum(-1)
        return per_scale.expand(self.mean.shape[:-1])

    def fisher(self, tangent: "DiagonalNormal", weights: Float[Tensor, "N M"]) -> "DiagonalNormal":
        """Return the weighted Fisher matrix in (mean, log std) times ``tangent``.

        The matrix is diagonal: ``1 / std²`` for a mean and 2 for a log std, which all steps share.
        """
        inverse_variance = (-2 * self.log_std).exp()
        total = weights.sum(-1)[:, None, None]
        return DiagonalNormal(
            weights[..., None] * inverse_variance * tangent.mean, 2 * total * tangent.log_std
        )


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


ActionDistribution = DiagonalNormal | CategoricalLogits
