"""Bring your own loss of the inner steps: a function of the policy and of each task's episodes.

    maml-rl train --env-name 2DNavigation-v0 --metalearner examples.custom_loss:Curious --output-folder runs/x

A method gives the loss to its way of adapting. Here steps ascend the return and the entropy of the actions,
so that adapted policies go on to explore. The bonus is a key of the method's own; ``--help`` lists it.
"""

from functools import partial
from typing import Any

from torch import Tensor

from maml_rl import GradientStep, Loss, Policy, Run, RunSettings, train
from maml_rl.config import parse_config
from maml_rl.config.keys.gradient_steps import GradientStepKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys
from maml_rl.losses import likelihood_ratio, mean_entropy
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.stacked import StackedEpisodes


def curious(pi: ActionDistribution, batch: StackedEpisodes, bonus: float) -> Tensor:
    """Return the loss of each task, ``[N]``; its derivatives come from autograd."""
    return likelihood_ratio(pi, batch) - bonus * mean_entropy(pi, batch)


class Curious(TrustRegionMAML):
    """MAML-TRPO with that loss."""

    class Settings(TrustRegionKeys, GradientStepKeys):
        """MAML-TRPO whose inner steps are rewarded for entropy."""

        bonus: float = 0.1
        """Weight of the entropy in the loss of inner steps."""

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> GradientStep:
        """Return gradient steps down the loss."""
        loss = Loss(partial(curious, bonus=settings.bonus))
        return GradientStep(policy, loss, settings.fast_lr, settings.first_order)


if __name__ == "__main__":
    entries = {
        "env-name": "2DNavigation-v0",
        "metalearner": f"{__name__}:Curious",
        "bonus": 0.2,
        "gae-lambda": 0.9,
        "meta-batch-size": 10,
        "fast-batch-size": 10,
        "num-batches": 12,
    }
    with Run(parse_config(entries, "example"), RunSettings(seed=1)) as run:
        for iteration in train(run):
            before, after = iteration.returns
            entropy = iteration.metrics["entropy"]
            print(
                f"meta-update {iteration.number}: {before:.1f} before, {after:.1f} after adaptation, "
                f"entropy {entropy:.2f}"
            )
