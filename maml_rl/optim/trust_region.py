"""One trust-region step on a vector of parameters: direction, length, and the line search."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.finite import check_finite
from maml_rl.optim.conjugate_gradient import Product, conjugate_gradient

Evaluation = tuple[Float[Tensor, "N"], Float[Tensor, "N"]]
"""Loss and KL of each task."""


@dataclass(frozen=True)
class TrustRegion:
    """How far and how hard to step (Schulman et al. 2015, appendix C).

    Args:
        max_kl: bound on the mean KL(old || new), in nats.
        cg_iters: iterations of conjugate gradient.
        cg_damping: multiple of the identity added to the Fisher matrix.
        ls_max_steps: step lengths tried at most.
        ls_backtrack_ratio: ratio of one length to the one before.
    """

    max_kl: float = 1e-3
    cg_iters: int = 10
    cg_damping: float = 1e-2
    ls_max_steps: int = 10
    ls_backtrack_ratio: float = 0.5


@dataclass(frozen=True)
class Outcome:
    """What a trust-region step did. When nothing was accepted, ``theta`` is the old one, to the bit."""

    theta: Float[Tensor, "P"]
    losses: Float[Tensor, "N"]
    kls: Float[Tensor, "N"]
    accepted: bool
    backtracks: int
    cg_residual: float


def trust_region_step(
    region: TrustRegion,
    theta: Float[Tensor, "P"],
    losses: Float[Tensor, "N"],
    gradient: Float[Tensor, "P"],
    fisher_product: Product,
    evaluate: Callable[[Float[Tensor, "P"]], Evaluation],
) -> Outcome:
    """Minimise the mean loss within ``KL < max_kl`` of ``theta``.

    The direction solves ``(F + damping) s = g``. The Lagrange multiplier of the constraint
    ``½ dᵀ (F + damping) d = max_kl`` scales it: the step is ``s / sqrt(½ sᵀ (F + damping) s / max_kl)``.
    The line search then shortens it until the loss has fallen and the KL holds. A try that breaks the
    numbers is passed over for a shorter one. Without a gradient there is no direction, and nothing is tried.

    Args:
        losses: each task's loss at ``theta``.
        gradient: gradient of the mean loss at ``theta``.
        fisher_product: exact, undamped product with the mean Fisher matrix.
        evaluate: each task's loss and KL at other parameters.

    Raises:
        FloatingPointError: even the shortest step that was tried has a loss or KL that is not finite.
    """

    def damped(vector: Tensor) -> Tensor:
        return fisher_product(vector).double() + region.cg_damping * vector

    direction, residual = conjugate_gradient(damped, gradient, region.cg_iters)
    curvature = 0.5 * direction.dot(gradient.double() - residual)  # ½ sᵀ A s, with A s at hand
    step = direction * (region.max_kl / curvature).sqrt()
    residual_norm = residual.norm().item()
    old_loss = losses.mean()
    new_losses, kls = losses, torch.zeros_like(losses)
    tries = region.ls_max_steps if bool(step.isfinite().all()) else 0
    rejected = Outcome(theta, losses, kls, False, tries, residual_norm)
    for backtracks in range(tries):
        candidate = theta - (region.ls_backtrack_ratio**backtracks * step).to(theta.dtype)
        new_losses, kls = evaluate(candidate)
        improvement = old_loss - new_losses.mean()
        # Comparisons with NaN are false: a step that breaks the numbers is never accepted.
        if improvement.item() > 0.0 and kls.mean().item() < region.max_kl:
            return Outcome(candidate, new_losses, kls, True, backtracks, residual_norm)
    check_finite("surrogate losses", new_losses, hint=" at every length of the step")
    check_finite("KLs", kls, hint=" at every length of the step")
    return rejected
