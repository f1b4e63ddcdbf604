"""One trust-region step on a vector of parameters: direction, length, and the line search."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.errors import check_finite
from maml_rl.optim.base import Comparison, Problem, Step, Tensors
from maml_rl.optim.conjugate_gradient import conjugate_gradient


@dataclass(frozen=True)
class TrustRegion:
    """A step that minimises the mean loss within a bound on the KL (Schulman et al. 2015, appendix C).

    The direction solves ``(F + damping) s = g``. The Lagrange multiplier of the constraint
    ``½ dᵀ (F + damping) d = max_kl`` scales it: the step is ``s / sqrt(½ sᵀ (F + damping) s / max_kl)``.
    The line search then shortens it until the loss has fallen and the KL holds. A try that breaks the
    numbers is passed over for a shorter one. Without a gradient there is no direction, and nothing is tried.

    Args:
        max_kl: bound on the mean KL(old || new), in nats.
        cg_iters: iterations of conjugate gradient.
        cg_damping: multiple of the identity added to the Fisher matrix.
        ls_max_steps: step lengths tried at most.
        ls_backtrack_ratio: ratio of one length to the one before.
        fisher_fraction: part of the steps that F is taken from.
    """

    max_kl: float = 1e-3
    cg_iters: int = 10
    cg_damping: float = 1e-2
    ls_max_steps: int = 10
    ls_backtrack_ratio: float = 0.5
    fisher_fraction: float = 1.0
    repeats_products: ClassVar[bool] = True

    def init(self, theta: Float[Tensor, "P"]) -> Tensors:
        """Return nothing: each step starts afresh."""
        return {}

    def step(self, problem: Problem, theta: Float[Tensor, "P"], memory: Tensors) -> Step:
        """Take one step, or none if the line search finds no length.

        Raises:
            FloatingPointError: even the shortest step that was tried has a loss or KL that is not finite.
        """
        before = losses, gradient = problem.at_old()

        def damped(vector: Tensor) -> Tensor:
            product = problem.fisher_product(vector, self.fisher_fraction)
            return product.double() + self.cg_damping * vector

        direction, residual = conjugate_gradient(damped, gradient, self.cg_iters)
        curvature = 0.5 * direction.dot(gradient.double() - residual)  # ½ sᵀ A s, with A s at hand
        step = direction * (self.max_kl / curvature).sqrt()
        after = Comparison(losses, torch.zeros_like(losses))
        tries = self.ls_max_steps if bool(step.isfinite().all()) else 0
        details = {"cg_residual": residual.norm().item(), "backtracks": tries}
        rejected = Step(theta, memory, before, after, False, details)
        for backtracks in range(tries):
            candidate = theta - (self.ls_backtrack_ratio**backtracks * step).to(theta.dtype)
            after = problem.evaluate(candidate)
            improvement = losses.mean() - after.losses.mean()
            # Comparisons with NaN are false: a step that breaks the numbers is never accepted.
            if improvement.item() > 0.0 and after.kls.mean().item() < self.max_kl:
                details |= {"backtracks": backtracks}
                return Step(candidate, memory, before, after, True, details)
        check_finite("surrogate losses", after.losses, hint=" at every length of the step")
        check_finite("KLs", after.kls, hint=" at every length of the step")
        return rejected
