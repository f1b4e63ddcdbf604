"""What acts in N tasks, K episodes of each side by side."""

from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.policies.base import Policy
from maml_rl.policies.distributions import ActionDistribution


@runtime_checkable
class Actor(Protocol):
    """Acts on observations, and may remember what came of it."""

    def act(self, observations: Float[Tensor, "N K O"]) -> ActionDistribution:
        """Return the distribution of the next actions."""
        ...

    def receive(
        self, actions: NDArray[Any], rewards: NDArray[Any], ran: NDArray[np.bool_], ended: NDArray[np.bool_]
    ) -> None:
        """Take note of the actions, ``[N, K, ...]``, and of what followed them, ``[N, K]`` each.

        Args:
            ran: the episodes that took this step; the others wait.
            ended: those of them that are over with it.
        """
        ...


class FeedForwardActor:
    """A policy that looks at nothing but the observation.

    Args:
        params: task ``n`` acts under ``params[n]``.
    """

    def __init__(self, policy: Policy, params: Float[Tensor, "N P"]):
        self._act = policy.at(policy.unflatten(params))

    def act(self, observations: Float[Tensor, "N K O"]) -> ActionDistribution:
        """Return the policy's distribution."""
        return self._act(observations)

    def receive(
        self, actions: NDArray[Any], rewards: NDArray[Any], ran: NDArray[np.bool_], ended: NDArray[np.bool_]
    ) -> None:
        """Do nothing."""
