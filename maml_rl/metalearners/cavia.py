"""CAVIA (Zintgraf et al. 2019): only a context adapts, from 0, beside the input of the first layer."""

from typing import Any

from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import DifferentiableAdaptation, PartialStep
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.metalearners.parts import loss_of
from maml_rl.policies.base import Policy
from maml_rl.policies.context import CONTEXT, ContextPolicy


class CAVIA(TrustRegionMAML):
    """Learns theta as MAML-TRPO does, where tasks differ in a context alone."""

    @staticmethod
    def extended(policy: Policy, settings: Any) -> Policy:
        """Return the policy with a context.

        Raises:
            UsageError: it has no layer with a bias.
        """
        return ContextPolicy(policy, settings.context_size)

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> DifferentiableAdaptation:
        """Return gradient steps of the context."""
        return ContextStep(policy, loss_of(settings), settings.fast_lr, settings.first_order, [CONTEXT])


class ContextStep(PartialStep):
    """Gradient steps of a context that outer steps leave at 0."""

    def learned(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return ``vectors`` with 0 for the context."""
        return vectors * (1 - self.mask.to(vectors))
