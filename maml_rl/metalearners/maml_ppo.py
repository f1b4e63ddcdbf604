"""MAML whose outer update is PPO's: several steps of Adam on a clipped objective."""

from collections.abc import Sequence
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from maml_rl.losses import Objective, Round, clipped_surrogate
from maml_rl.metalearners.base import GradientMetaLearner, MetaState
from maml_rl.metalearners.chunks import Rounds
from maml_rl.metalearners.columns import OBJECTIVE, STATISTICS
from maml_rl.metalearners.parts import adam
from maml_rl.optim.adam import Adam


class ClippedMAML(GradientMetaLearner):
    """Learns theta by Adam on a clipped surrogate after adaptation (Schulman et al. 2017, eq. 7)."""

    columns: ClassVar = {**OBJECTIVE, **STATISTICS}
    headline: ClassVar[tuple[str, ...]] = ("kl",)

    @property
    def optimizer(self) -> Adam:
        """Return Adam."""
        return adam(self.settings)

    def objective(self, state: MetaState, rounds: Rounds) -> Objective:
        """Return the clipped surrogate of the valid round."""
        clip = self.settings.clip

        def value(of_tasks: Sequence[Round]) -> Float[Tensor, "N"]:
            return clipped_surrogate(*of_tasks[-1], clip)

        return Objective(value, of_valid_alone=True)
