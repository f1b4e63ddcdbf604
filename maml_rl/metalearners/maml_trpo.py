"""MAML with a trust-region outer update (Finn, Abbeel & Levine 2017, section 5.3)."""

from typing import ClassVar

from maml_rl.losses import Objective, surrogate
from maml_rl.metalearners.base import GradientMetaLearner, MetaState
from maml_rl.metalearners.chunks import Rounds
from maml_rl.metalearners.columns import ACCEPTED, OBJECTIVE, STATISTICS, Column
from maml_rl.metalearners.parts import trust_region
from maml_rl.optim.trust_region import TrustRegion


class TrustRegionMAML(GradientMetaLearner):
    """Learns initial parameters theta by TRPO on the surrogate loss after adaptation."""

    columns: ClassVar = {
        **OBJECTIVE,
        ACCEPTED: Column(
            "0 or 1", "whether the line search found a step; if not, the weights stay to the bit and kl is 0"
        ),
        "backtracks": Column("", "how often the line search shortened the step"),
        "cg_residual": Column("", "norm of g − (F + damping) s after conjugate gradient"),
        **STATISTICS,
    }
    headline = ("kl",)
    rejection_hint = (
        "the policy may have stopped exploring, or the batch may be too small for a direction; "
        "try a larger fast-batch-size or cg-damping, or a smaller fast-lr"
    )

    @property
    def optimizer(self) -> TrustRegion:
        """Return the trust region of the settings."""
        return trust_region(self.settings)

    def objective(self, state: MetaState, rounds: Rounds) -> Objective:
        """Return the surrogate loss of the valid round."""
        return surrogate
