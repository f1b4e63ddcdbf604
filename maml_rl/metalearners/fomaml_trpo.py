"""First-order MAML with a trust-region outer update (Finn, Abbeel & Levine 2017, section 5.2)."""

from typing import Any

from maml_rl.adaptation import DifferentiableAdaptation, GradientStep
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.metalearners.parts import loss_of
from maml_rl.policies.base import Policy


class FirstOrderMAML(TrustRegionMAML):
    """Learns theta as MAML-TRPO does, with the inner gradient taken as a constant."""

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> DifferentiableAdaptation:
        """Return gradient steps whose Jacobian is the identity."""
        return GradientStep(policy, loss_of(settings), settings.fast_lr, first_order=True)
