"""E-MAML (Stadie et al. 2018): MAML that knows that theta chooses the train episodes."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import Adaptation
from maml_rl.losses import Objective, Round, clipped_surrogate, likelihood_ratio, mean
from maml_rl.metalearners.base import GradientMetaLearner, MetaState
from maml_rl.metalearners.chunks import Rounds, resolved
from maml_rl.metalearners.columns import ACCEPTED, OBJECTIVE, STATISTICS, Column
from maml_rl.metalearners.parts import adam, gradient_steps, trust_region
from maml_rl.optim.base import OuterOptimizer, Step
from maml_rl.policies.base import Policy

RETURN_MEAN, RETURN_SCALE = "return_mean", "return_scale"
"""Names, in the method's memory, of what normalises valid returns: the mean of the last update's, over tasks,
and one over their deviation. Both are 0 before the first update."""


class EMAML(GradientMetaLearner):
    """Learns theta by a surrogate after adaptation, and by a term for what the train episodes led to.

    A task's valid return, normalised by those of the last update's tasks, is the credit of its train
    actions (Rothfuss et al. 2019 normalise by the same update's). The first update has no such term.
    """

    columns: ClassVar = {
        **OBJECTIVE,
        ACCEPTED: Column("0 or 1", "whether the trust region found a step; 1 with Adam"),
        **STATISTICS,
    }
    headline = ("kl",)

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> Adaptation:
        """Return gradient steps on REINFORCE's loss, unless the settings name another."""
        return gradient_steps(policy, settings)

    @property
    def optimizer(self) -> OuterOptimizer:
        """Return the trust region, or Adam."""
        return adam(self.settings) if self.settings.outer == "adam" else trust_region(self.settings)

    def init(self) -> MetaState:
        """Return the first state, in which nothing is known of returns."""
        theta, memory = super().init()
        return MetaState(
            theta, {**memory, RETURN_MEAN: theta.new_zeros(()), RETURN_SCALE: theta.new_zeros(())}
        )

    def objective(self, state: MetaState) -> Objective:
        """Return the surrogate of the valid round plus the train rounds' term."""
        average, scale = state.memory[RETURN_MEAN].item(), state.memory[RETURN_SCALE].item()
        settings = self.settings

        def value(rounds: Sequence[Round]) -> Float[Tensor, "N"]:
            *train, valid = rounds
            clips = settings.outer == "adam"
            loss = clipped_surrogate(*valid, settings.clip) if clips else likelihood_ratio(*valid)
            credit = settings.sampling_coefficient * scale * (mean_return(valid) - average)
            return loss + sampling_term(train, credit)

        return Objective(value)

    def remember(self, state: MetaState, step: Step, rounds: Rounds) -> Mapping[str, Tensor]:
        """Return the optimiser's memory, and the returns' mean and scale for the next update."""
        returns = torch.stack([resolved(episodes).rewards.sum(0).mean() for episodes in rounds[-1]])
        deviation = returns.std(unbiased=False)
        scale = torch.where(deviation > 0, 1 / deviation, 0.0)
        return {**step.memory, RETURN_MEAN: returns.mean(), RETURN_SCALE: scale}


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
