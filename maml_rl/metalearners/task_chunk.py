"""A few tasks of a meta-batch, and the questions that a trust-region step asks of them."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import adapt
from maml_rl.episode import StackedEpisodes
from maml_rl.losses import mean_kl, reinforce_gradient, surrogate_loss
from maml_rl.optim.fisher import InnerJacobian, PolicyJacobian
from maml_rl.policies.base import Policy


class TaskChunk:
    """N tasks that are adapted and differentiated side by side, linearised once at ``theta``.

    Args:
        theta: the meta-parameters; the old policy is the one adapted from them.
        train: episodes before each inner step.
        valid: episodes after adaptation.
    """

    def __init__(
        self,
        policy: Policy,
        theta: Float[Tensor, "P"],
        train: Sequence[StackedEpisodes],
        valid: StackedEpisodes,
        fast_lr: float,
        first_order: bool,
    ):
        self._policy, self._train, self._valid, self._fast_lr = policy, train, valid, fast_lr
        self.size = valid.weights.shape[0]
        self._inner = InnerJacobian(policy, train, self._repeat(theta), fast_lr, first_order)
        self._outer = PolicyJacobian(policy, valid, self._inner.adapted)
        self._old = self._outer.pi
        self._old_log_probs = self._old.log_prob(valid.actions)

    def surrogate_gradient(self) -> tuple[Float[Tensor, "N"], Float[Tensor, "N P"]]:
        """Return each task's surrogate loss at theta, and its gradient through adaptation."""
        losses = surrogate_loss(self._old_log_probs, self._old_log_probs, self._valid)
        # At theta every importance ratio is 1, and the surrogate's gradient is the policy gradient.
        gradient = reinforce_gradient(self._old, self._valid)
        return losses, self._inner.transposed_product(self._outer.pullback(gradient))

    def statistics(self) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
        """Return each task's mean entropy after adaptation, in nats, and mean norm of its inner gradients."""
        entropies = (self._valid.weights * self._old.entropy()).sum(-1)
        norms = self._inner.grad_norms or [torch.zeros_like(entropies)]
        return entropies, torch.stack(norms).mean(0)

    def fisher_product(self, vector: Float[Tensor, "P"]) -> Float[Tensor, "N P"]:
        """Return the Hessian of each task's KL(old || new) at theta, times ``vector``."""
        tangents = self._inner.product(self._repeat(vector))
        return self._inner.transposed_product(self._outer.fisher_product(tangents))

    def loss_and_kl(self, theta: Float[Tensor, "P"]) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
        """Return each task's surrogate loss and KL(old || new) with ``theta`` as meta-parameters."""
        with torch.no_grad():
            adapted = adapt(self._policy, self._train, self._repeat(theta), self._fast_lr)
            pi = self._policy.outputs(self._valid.observations, self._policy.unflatten(adapted))
            log_probs = pi.log_prob(self._valid.actions)
            return (
                surrogate_loss(log_probs, self._old_log_probs, self._valid),
                mean_kl(self._old, pi, self._valid),
            )

    def _repeat(self, vector: Float[Tensor, "P"]) -> Float[Tensor, "N P"]:
        return vector.to(self._valid.weights.dtype).expand(self.size, -1)
