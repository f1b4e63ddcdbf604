"""The inner loop: gradient steps on a task's own episodes, for several tasks side by side."""

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from maml_rl.episode import StackedEpisodes
from maml_rl.losses import reinforce_gradient
from maml_rl.policies.base import Policy


def adapt(
    policy: Policy,
    episodes: Sequence[StackedEpisodes],
    params: Float[Tensor, "N P"],
    fast_lr: float,
) -> Float[Tensor, "N P"]:
    """Take one inner step per entry of ``episodes`` (Finn et al. 2017, eq. 1); no graph is kept."""
    for batch in episodes:
        linearisation = policy.linearise(batch.observations, params)
        gradient = reinforce_gradient(linearisation.pi, batch)
        params = params - fast_lr * linearisation.pull_back(gradient)
    return params
