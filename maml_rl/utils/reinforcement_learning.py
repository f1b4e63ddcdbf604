"""2020 names: `get_returns` and `reinforce_loss`."""

from collections.abc import Mapping

from jaxtyping import Float
from torch import Tensor

from maml_rl.episode import BatchEpisodes, get_returns
from maml_rl.lazy import lazy_names
from maml_rl.policies.base import Policy

__all__ = ["get_returns", "reinforce_loss"]

_VALUE_ITERATION = "nothing here solves MDPs exactly; a task of TabularMDP-v0 has transitions and rewards"
__getattr__ = lazy_names(
    __name__,
    {},
    gone={"value_iteration": _VALUE_ITERATION, "value_iteration_finite_horizon": _VALUE_ITERATION},
)


def reinforce_loss(
    policy: Policy, episodes: BatchEpisodes, params: Mapping[str, Tensor] | None = None
) -> Float[Tensor, ""]:
    """Return ``-E[log pi(a|s) A]`` of one task's episodes, with their own advantages.

    Args:
        params: in place of the policy's own, as `Policy.update_params` returns them.
    """
    log_probs = policy(episodes.observations, params).log_prob(episodes.actions)
    return -(episodes.weights * log_probs * episodes.advantages).sum()
