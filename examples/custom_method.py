"""Bring your own method: MAML that learns from the tasks that it is worst at.

    maml-rl train --env-name 2DNavigation-v0 --metalearner examples.custom_method:WorstTasks --output-folder x

A method says how tasks adapt, what the outer loop minimises, and what moves theta. This one is MAML-TRPO with
another objective: the mean over the worst part of the batch's tasks, a conditional value at risk. Sampling,
workers, checkpoints, tests and pictures are those of every method.
"""

from collections.abc import Sequence
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from maml_rl import Objective, Run, RunSettings, train
from maml_rl.config import parse_config
from maml_rl.config.keys.gradient_steps import GradientStepKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys
from maml_rl.losses import Round, likelihood_ratio
from maml_rl.metalearners.base import MetaState
from maml_rl.metalearners.chunks import Rounds, resolved
from maml_rl.metalearners.e_maml import mean_return
from maml_rl.metalearners.maml_trpo import TrustRegionMAML


class WorstTasks(TrustRegionMAML):
    """MAML-TRPO on the tasks whose returns after adaptation are the lowest."""

    class Settings(TrustRegionKeys, GradientStepKeys):
        """MAML-TRPO that learns from the tasks that it is worst at."""

        fraction: Annotated[float, Field(gt=0, le=1)] = 0.5
        """Part of the batch's tasks that the objective is the mean over."""

    def objective(self, state: MetaState, rounds: Rounds) -> Objective:
        """Return the surrogate of the valid round, of the worst tasks alone."""
        returns = torch.stack([resolved(episodes).rewards.sum(0).mean() for episodes in rounds[-1]])
        worst = max(1, round(self.settings.fraction * len(returns)))
        ordered = torch.cat([returns.sort().values, returns.new_tensor([torch.inf])])
        highest = ordered[worst - 1 : worst + 1].mean()  # Between two returns, for sums round as they like.

        def value(of_tasks: Sequence[Round]) -> Tensor:
            valid = of_tasks[-1]
            return likelihood_ratio(*valid) * (mean_return(valid) <= highest) * len(returns) / worst

        return Objective(value, of_valid_alone=True)


if __name__ == "__main__":
    entries = {
        "env-name": "2DNavigation-v0",
        "metalearner": f"{__name__}:WorstTasks",
        "fraction": 0.3,
        "gae-lambda": 0.9,
        "meta-batch-size": 10,
        "fast-batch-size": 10,
        "num-batches": 12,
    }
    with Run(parse_config(entries, "example"), RunSettings(seed=1)) as run:
        for iteration in train(run):
            before, after = iteration.returns
            print(f"meta-update {iteration.number}: {before:.1f} before, {after:.1f} after adaptation")
