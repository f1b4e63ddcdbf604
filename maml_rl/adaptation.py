"""The inner loop: gradient steps on a task's own episodes, for several tasks side by side."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.episode import StackedEpisodes
from maml_rl.losses import reinforce_gradient
from maml_rl.policies.base import Policy

CPU_CHUNK_STEPS = 4096
"""Steps to differentiate at once on a CPU: the activations of more would fall out of a core's cache."""


def adapt(
    policy: Policy,
    episodes: Sequence[StackedEpisodes],
    params: Float[Tensor, "N P"],
    fast_lr: float,
) -> Float[Tensor, "N P"]:
    """Take one inner step per entry of ``episodes`` (Finn et al. 2017, eq. 1); no graph is kept."""
    for batch in episodes:
        tasks, steps = batch.weights.shape
        at_once = max(1, CPU_CHUNK_STEPS // max(1, steps)) if batch.weights.device.type == "cpu" else tasks
        chunks = zip(*(torch.split(x, at_once) for x in (params, *batch)), strict=True)
        params = torch.cat([_step(policy, StackedEpisodes(*x), theta, fast_lr) for theta, *x in chunks])
    return params


def _step(
    policy: Policy, episodes: StackedEpisodes, params: Float[Tensor, "N P"], fast_lr: float
) -> Float[Tensor, "N P"]:
    linearisation = policy.linearise(episodes.observations, params)
    gradient = reinforce_gradient(linearisation.pi, episodes)
    return params - fast_lr * linearisation.pull_back(gradient)
