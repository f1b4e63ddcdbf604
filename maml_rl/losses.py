"""The scalars that MAML-TRPO differentiates, one per task: pure functions of weighted steps.

Every sum over time is a mean over real steps; the weights of `StackedEpisodes` hold the divisions.
"""

from jaxtyping import Float
from torch import Tensor

from maml_rl.episode import StackedEpisodes
from maml_rl.policies.distributions import ActionDistribution


def reinforce_gradient(pi: ActionDistribution, episodes: StackedEpisodes) -> ActionDistribution:
    """Return the gradient of ``-E[log pi(a|s) A]`` (Williams 1992) in the parameters of ``pi`` itself.

    It is the inner loss of Finn et al. 2017, eq. 4, and of the surrogate loss where ``pi`` is the old policy.
    """
    return pi.score(episodes.actions, -episodes.weights * episodes.advantages)


def reinforce_gradient_dot(
    pi: ActionDistribution, episodes: StackedEpisodes, tangent: ActionDistribution
) -> ActionDistribution:
    """Return how `reinforce_gradient` changes in the direction ``tangent``: its Hessian's product."""
    weights = -episodes.weights * episodes.advantages
    return pi.score_dot(episodes.actions, weights, tangent)  # type: ignore[arg-type]


def surrogate_loss(
    log_probs: Float[Tensor, "N M"],
    old_log_probs: Float[Tensor, "N M"],
    episodes: StackedEpisodes,
) -> Float[Tensor, "N"]:
    """Return ``-E[pi(a|s) / pi_old(a|s) A]`` per task (Schulman et al. 2015, eq. 14)."""
    ratios = (log_probs - old_log_probs).exp()
    return -_mean(ratios * episodes.advantages, episodes.weights)


def mean_kl(
    old: ActionDistribution, new: ActionDistribution, episodes: StackedEpisodes
) -> Float[Tensor, "N"]:
    """Return ``E[KL(pi_old(.|s) || pi(.|s))]`` per task, in nats."""
    return _mean(old.kl(new), episodes.weights)  # type: ignore[arg-type]


def _mean(x: Float[Tensor, "N M"], weights: Float[Tensor, "N M"]) -> Float[Tensor, "N"]:
    return (weights * x).sum(-1)
