"""The inner loop: gradient steps on a task's own episodes, for several tasks side by side."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.episode import StackedEpisodes
from maml_rl.losses import reinforce_loss
from maml_rl.policies.base import Policy


def inner_gradient(
    policy: Policy,
    episodes: StackedEpisodes,
    params: Float[Tensor, "N P"],
    create_graph: bool = False,
) -> Float[Tensor, "N P"]:
    """Return the gradient of each task's REINFORCE loss at that task's parameters.

    With ``create_graph`` the gradient can be differentiated again, back to ``params``.
    """
    with torch.enable_grad():
        # The tasks do not interact, so the gradient of the sum is each task's own gradient.
        loss = reinforce_loss(policy, episodes, policy.unflatten(params)).sum()
        (gradient,) = torch.autograd.grad(loss, params, create_graph=create_graph)
    return gradient


def adapt(
    policy: Policy,
    episodes: Sequence[StackedEpisodes],
    params: Float[Tensor, "N P"],
    fast_lr: float,
) -> Float[Tensor, "N P"]:
    """Take one inner step per entry of ``episodes`` (Finn et al. 2017, eq. 1); no graph is kept."""
    for batch in episodes:
        params = params.detach().requires_grad_()
        params = params.detach() - fast_lr * inner_gradient(policy, batch, params)
    return params
