"""E-MAML (Stadie et al. 2018): MAML that knows that theta chooses the train episodes."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.advantages import ROUNDING
from maml_rl.losses import Objective, Round, clipped_surrogate, likelihood_ratio, mean
from maml_rl.metalearners.base import GradientMetaLearner, MetaState
from maml_rl.metalearners.chunks import Rounds, resolved
from maml_rl.metalearners.columns import ACCEPTED, OBJECTIVE, STATISTICS, Column
from maml_rl.metalearners.parts import adam, trust_region
from maml_rl.optim.base import OuterOptimizer


class EMAML(GradientMetaLearner):
    """Learns theta by a surrogate after adaptation, and by a term for what the train episodes led to.

    A task's valid return, normalised over the update's tasks, is the credit of its train actions (Rothfuss et
    al. 2019).
    """

    columns: ClassVar = {
        **OBJECTIVE,
        ACCEPTED: Column("0 or 1", "whether the trust region found a step; 1 with Adam"),
        **STATISTICS,
    }
    headline = ("kl",)

    @property
    def optimizer(self) -> OuterOptimizer:
        """Return the trust region, or Adam."""
        return adam(self.settings) if self.settings.outer == "adam" else trust_region(self.settings)

    def objective(self, state: MetaState, rounds: Rounds) -> Objective:
        """Return the surrogate of the valid round plus the train rounds' term."""
        returns = torch.stack([resolved(episodes).rewards.sum(0).mean() for episodes in rounds[-1]]).double()
        average, deviation = returns.mean().item(), returns.std(unbiased=False).item()
        differ = deviation > ROUNDING * returns.abs().max().item()
        scale = self.settings.sampling_coefficient / deviation if differ else 0.0
        clip = self.settings.clip if self.settings.outer == "adam" else None

        def value(of_tasks: Sequence[Round]) -> Float[Tensor, "N"]:
            *train, valid = of_tasks
            loss = likelihood_ratio(*valid) if clip is None else clipped_surrogate(*valid, clip)
            return loss + sampling_term(train, scale * (mean_return(valid) - average))

        return Objective(value)


def sampling_term(train: Sequence[Round], credit: Float[Tensor, "N"]) -> Float[Tensor, "N"]:
    """Return ``-credit * sum over train rounds of E[log pi(a|s)]`` (Stadie et al. 2018, eq. 9).

    With the return after adaptation as credit, and sums over steps, its gradient is the part of that return's
    derivative that MAML drops: the one through the probability of the train episodes.
    """
    terms = [mean(pi.log_prob(batch.actions), batch) for pi, batch in train]
    return -credit * torch.stack(terms).sum(0) if terms else torch.zeros_like(credit)


def mean_return(round_: Round) -> Float[Tensor, "N"]:
    """Return each task's undiscounted return, mean over its episodes that have a step."""
    order = round_.batch.step_order
    return order.rewards.sum(1) / (order.lengths > 0).sum(1)
