"""The inner loop: gradient steps on a task's own episodes, for several tasks side by side."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.episode import StackedEpisodes
from maml_rl.losses import reinforce_loss
from maml_rl.policies.base import Policy
from maml_rl.policies.distributions import ActionDistribution


def reinforce_gradient(
    pi: ActionDistribution, episodes: StackedEpisodes, create_graph: bool = False
) -> tuple[list[Tensor], list[Tensor]]:
    """Return leaves that equal the parameters of ``pi``, and the REINFORCE loss's gradient by them.

    With ``create_graph`` the gradient can be differentiated again, back to the leaves.
    """
    with torch.enable_grad():
        leaves = [x.detach().requires_grad_() for x in pi]
        # The tasks do not interact, so the gradient of the sum is each task's own gradient.
        loss = reinforce_loss(type(pi)(*leaves), episodes).sum()
        return leaves, list(torch.autograd.grad(loss, leaves, create_graph=create_graph))


def adapt(
    policy: Policy,
    episodes: Sequence[StackedEpisodes],
    params: Float[Tensor, "N P"],
    fast_lr: float,
) -> Float[Tensor, "N P"]:
    """Take one inner step per entry of ``episodes`` (Finn et al. 2017, eq. 1); no graph is kept."""
    for batch in episodes:
        linearisation = policy.linearise(batch.observations, params)
        _, cotangent = reinforce_gradient(linearisation.pi, batch)
        params = params - fast_lr * linearisation.pull_back(cotangent)
    return params
