"""Bring your own policy: any ``torch.nn.Module`` that puts out a distribution of actions.

    maml-rl train --env-name 2DNavigation-v0 --policy examples.custom_policy:Residual --output-folder runs/x

The key ``policy`` of a config names the class, and ``policy-kwargs`` what it is made with besides the spaces.
For continuous actions it returns their mean and the log of their deviation, for discrete ones logits.
Adaptation and meta-updates take its derivatives from autograd.
"""

from typing import Any

import gymnasium as gym
import torch
from torch import Tensor, nn

from maml_rl import Run, RunSettings, train
from maml_rl.config import parse_config


class Residual(nn.Module):
    """A perceptron whose second layer adds to what the first one found."""

    def __init__(self, observation_space: gym.Space[Any], action_space: gym.Space[Any], width: int = 64):
        super().__init__()
        (observations,), (actions,) = observation_space.shape, action_space.shape
        self.first = nn.Linear(observations, width)
        self.second = nn.Linear(width, width)
        self.mean = nn.Linear(width, actions)
        self.log_std = nn.Parameter(torch.zeros(actions))

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean of the actions, ``[B, A]``, and the log of their deviation, ``[A]``."""
        hidden = torch.tanh(self.first(observations))
        hidden = hidden + torch.tanh(self.second(hidden))
        return self.mean(hidden), self.log_std


if __name__ == "__main__":
    entries = {
        "env-name": "2DNavigation-v0",
        "policy": f"{__name__}:Residual",
        "policy-kwargs": {"width": 32},
        "gae-lambda": 0.9,
        "meta-batch-size": 10,
        "fast-batch-size": 10,
        "num-batches": 12,
    }
    with Run(parse_config(entries, "example"), RunSettings(seed=1)) as run:
        print(run.learner.adaptation.policy)
        for iteration in train(run):
            before, after = iteration.returns
            print(f"meta-update {iteration.number}: {before:.1f} before, {after:.1f} after adaptation")
