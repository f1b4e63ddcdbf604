"""MAML with a trust-region outer update (Finn, Abbeel & Levine 2017, section 5.3)."""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.finite import check_finite
from maml_rl.metalearners.base import (
    Chunk,
    Episodes,
    GradientBasedMetaLearner,
    StepResult,
    chunk_threads,
)
from maml_rl.metalearners.task_chunk import TaskChunk
from maml_rl.optim.trust_region import Outcome, TrustRegion, trust_region_step
from maml_rl.policies.base import Policy


class MAMLTRPO(GradientBasedMetaLearner):
    """Learns initial parameters theta by TRPO on the loss after adaptation.

    Args:
        policy: holds theta; updated in place by `step`.
        fast_lr: step size alpha of the inner gradient steps.
        first_order: take the Jacobian of the inner steps to be the identity.
        device: where the updates are computed.
        rebuild: linearise a chunk of tasks anew for each question put to it, and forget it after the answer.
            Memory then holds as many chunks as there are threads, whatever the number of tasks; an update
            takes longer and gives the same bits.
    """

    def __init__(
        self,
        policy: Policy,
        fast_lr: float = 0.5,
        first_order: bool = False,
        device: torch.device | str = "cpu",
        *,
        rebuild: bool = False,
    ):
        super().__init__(policy, device)
        self.fast_lr = fast_lr
        self.first_order = first_order
        self.rebuild = rebuild

    def step(
        self,
        train_futures: Sequence[Sequence[Episodes]],
        valid_futures: Sequence[Episodes],
        max_kl: float = 1e-3,
        cg_iters: int = 10,
        cg_damping: float = 1e-2,
        ls_max_steps: int = 10,
        ls_backtrack_ratio: float = 0.5,
    ) -> StepResult:
        """Make one meta-update of the policy, and say what it did.

        Args:
            train_futures: ``[inner step][task]``, episodes before each inner step.
            valid_futures: ``[task]``, episodes after the last one.

        Raises:
            FloatingPointError: parameters, losses, gradients or every KL of the line search are NaN or
                infinite; the policy is unchanged.
        """
        region = TrustRegion(max_kl, cg_iters, cg_damping, ls_max_steps, ls_backtrack_ratio)
        theta = self.policy.get_vector()
        if not bool(theta.isfinite().all()):
            raise FloatingPointError("the policy's parameters are NaN or infinite: start from others")

        def linearise(chunk: Chunk) -> Callable[[], TaskChunk]:
            build = partial(TaskChunk, self.policy, theta, *chunk, self.fast_lr, self.first_order)
            if self.rebuild:
                return build
            built = build()
            return lambda: built

        with chunk_threads() as parallel_map:
            chunks = parallel_map(linearise, self.chunks(train_futures, valid_futures))
            losses, gradients, entropies, inner_grad_norms = _gather(parallel_map(_at_theta, chunks))
            hint = ": look for non-finite rewards or observations, or lower fast-lr"
            check_finite("surrogate losses", losses, hint=hint)
            check_finite("meta-gradients", gradients, hint=hint)
            gradient = gradients.double().mean(0)

            def fisher_product(vector: Float[Tensor, "P"]) -> Float[Tensor, "P"]:
                products = torch.cat(parallel_map(lambda chunk: chunk().fisher_product(vector), chunks))
                check_finite("Fisher-vector products", products, hint=hint)
                return products.double().mean(0)

            def evaluate(
                candidate: Float[Tensor, "P"],
            ) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
                losses, kls = _gather(parallel_map(lambda chunk: chunk().loss_and_kl(candidate), chunks))
                return losses, kls

            outcome = trust_region_step(region, theta, losses, gradient, fisher_product, evaluate)
        self.policy.set_vector(outcome.theta)
        return _describe(outcome, losses, gradient, entropies, inner_grad_norms)


def _at_theta(chunk: Callable[[], TaskChunk]) -> tuple[Tensor, ...]:
    built = chunk()
    return *built.surrogate_gradient(), *built.statistics()


def _gather(answers: list[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    return tuple(torch.cat(parts) for parts in zip(*answers, strict=True))


def _describe(
    outcome: Outcome,
    losses: Float[Tensor, "N"],
    gradient: Float[Tensor, "P"],
    entropies: Float[Tensor, "N"],
    inner_grad_norms: Float[Tensor, "N"],
) -> StepResult:
    return StepResult(
        loss_before=losses.cpu().numpy(),
        kl_before=torch.zeros_like(losses).cpu().numpy(),
        loss_after=outcome.losses.cpu().numpy(),
        kl_after=outcome.kls.cpu().numpy(),
        accepted=outcome.accepted,
        kl=outcome.kls.mean().item(),
        improvement=(losses.mean() - outcome.losses.mean()).item(),
        backtracks=outcome.backtracks,
        cg_residual=outcome.cg_residual,
        grad_norm=gradient.norm().item(),
        inner_grad_norm=inner_grad_norms.mean().item(),
        entropy=entropies.mean().item(),
    )
