"""Reptile (Nichol et al. 2018): theta moves towards what tasks made of it."""

from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import Adaptation, GradientStep
from maml_rl.errors import check_finite
from maml_rl.losses import Round, mean_entropy, mean_kl
from maml_rl.metalearners.base import MetaLearner, MetaState, MetaUpdate
from maml_rl.metalearners.chunks import Chunks, Rounds, chunk_threads
from maml_rl.metalearners.columns import OBJECTIVE, STATISTICS, Column
from maml_rl.metalearners.parts import loss_of
from maml_rl.policies.base import Policy
from maml_rl.stacked import StackedEpisodes


class Reptile(MetaLearner):
    """Learns theta by ``theta + epsilon * mean(phi - theta)`` (Nichol et al. 2018, algorithm 2).

    No derivative is taken through adaptation, and the valid round only tells what came of it.
    """

    columns: ClassVar = {
        "kl": OBJECTIVE["kl"],
        "distance": Column("", "norm of φ − θ, mean over N"),
        "entropy": STATISTICS["entropy"],
    }
    headline = ("kl", "distance")

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> Adaptation:
        """Return gradient steps on REINFORCE's loss, unless the settings name another."""
        return GradientStep(policy, loss_of(settings), settings.fast_lr, first_order=True)

    def init(self) -> MetaState:
        """Return the template's parameters as theta; nothing else is remembered."""
        return MetaState(self.adaptation.initial_theta(), {})

    def update(self, state: MetaState, rounds: Rounds) -> MetaUpdate:
        """Move theta.

        Raises:
            FloatingPointError: the adapted parameters, or what they do, are NaN or infinite.
        """
        theta = self.theta_of(state)
        chunks = Chunks(rounds, self.device)
        with chunk_threads() as parallel_map:
            adapted = parallel_map(lambda batches: (batches, self.adapted(theta, batches)), chunks)
            moves = torch.cat([phi - theta for _, phi in adapted])
            check_finite("adapted parameters", moves, hint=": lower fast-lr")
            step = self.settings.meta_step_size * moves.double().mean(0)
            new = (theta.double() + step).to(theta.dtype)
            told = parallel_map(lambda both: self.change(new, *both), adapted)
        kls, entropies = (torch.cat(parts) for parts in zip(*told, strict=True))
        check_finite("KLs", kls, hint=": lower meta-step-size")
        distances = moves.norm(dim=-1)
        metrics = {
            "kl": kls.mean().item(),
            "distance": distances.mean().item(),
            "entropy": entropies.mean().item(),
        }
        per_task = {"kl_after": kls.cpu().numpy(), "distance": distances.cpu().numpy()}
        return MetaUpdate(MetaState(new, {}), metrics, per_task, chunks.seconds_waiting)

    def adapted(self, theta: Float[Tensor, "P"], batches: Sequence[StackedEpisodes]) -> Float[Tensor, "N P"]:
        """Return tasks' parameters after a step on each round but the last."""
        *train, valid = batches
        params = self.adaptation.start(theta, valid.weights.shape[0])
        for batch in train:
            params = self.adaptation.step(params, batch)
        return params

    def change(
        self, theta: Float[Tensor, "P"], batches: Sequence[StackedEpisodes], phi: Float[Tensor, "N P"]
    ) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
        """Return KL(old || new) of the adapted policies where ``theta`` is new, and the old ones' entropy."""
        policy, valid = self.adaptation.policy, batches[-1]
        old = policy.outputs(valid.observations, policy.unflatten(phi))
        params = policy.unflatten(self.adapted(theta, batches))
        new = Round(policy.outputs(valid.observations, params), valid._replace(old=old))
        return mean_kl(*new), mean_entropy(old, valid)
