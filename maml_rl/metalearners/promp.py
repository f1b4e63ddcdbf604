"""ProMP: proximal meta-policy search (Rothfuss et al. 2019)."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.losses import Objective, Round, clipped_surrogate, mean_kl
from maml_rl.metalearners.base import MetaState
from maml_rl.metalearners.chunks import Rounds
from maml_rl.metalearners.columns import OBJECTIVE, STATISTICS, Column
from maml_rl.metalearners.maml_ppo import ClippedMAML
from maml_rl.optim.base import Step

COEFFICIENTS = "kl_coefficients"
"""Name, in the method's memory, of the coefficients of KL(old || new) before each inner step."""
TOLERANCE = 1.5
"""Factor by which a KL may miss its target before its coefficient is halved or doubled."""


class ProMP(ClippedMAML):
    """Learns theta by Adam on a clipped surrogate, with a penalty on the change before adaptation."""

    columns: ClassVar = {
        **OBJECTIVE,
        "inner_kl": Column("nats", "KL(old ‖ new) before the inner steps, mean over them, steps and tasks"),
        "inner_kl_coefficient": Column("", "coefficient of the penalty on it, mean over inner steps"),
        **STATISTICS,
    }
    headline = ("kl", "inner_kl")

    def init(self) -> MetaState:
        """Return the first state, with the config's coefficient for each inner step."""
        theta, memory = super().init()
        coefficients = torch.full((self.settings.num_steps,), self.settings.inner_kl, device=self.device)
        return MetaState(theta, {**memory, COEFFICIENTS: coefficients})

    def objective(self, state: MetaState, rounds: Rounds) -> Objective:
        """Return the clipped surrogate of the valid round plus the penalties."""
        clip, coefficients = self.settings.clip, state.memory[COEFFICIENTS].tolist()

        def value(of_tasks: Sequence[Round]) -> Float[Tensor, "N"]:
            *train, valid = of_tasks
            loss = clipped_surrogate(*valid, clip)
            for coefficient, each in zip(coefficients, train, strict=True):
                loss = loss + coefficient / len(train) * mean_kl(*each)
            return loss

        return Objective(value)

    def remember(self, state: MetaState, step: Step) -> Mapping[str, Tensor]:
        """Return the optimiser's memory and the coefficients of the next update."""
        coefficients = state.memory[COEFFICIENTS].clone()
        target = self.settings.inner_kl_target
        if target is not None:
            for i, kls in enumerate(step.after.inner_kls):
                kl = kls.mean().item()
                if kl < target / TOLERANCE:
                    coefficients[i] /= 2
                elif kl > target * TOLERANCE:
                    coefficients[i] *= 2
        # At 0 no factor would change it any more.
        smallest = torch.finfo(coefficients.dtype).tiny if target is not None else 0.0
        return {**step.memory, COEFFICIENTS: coefficients.clamp(min=smallest)}

    def report(self, state: MetaState, step: Step) -> dict[str, float]:
        """Return the KLs before the inner steps, and their coefficients."""
        kls = [kl.mean().item() for kl in step.after.inner_kls]
        return {
            "inner_kl": sum(kls) / max(1, len(kls)),
            "inner_kl_coefficient": state.memory[COEFFICIENTS].mean().item() if kls else 0.0,
        }
