"""Keys of promp."""

from typing import Annotated

from pydantic import Field, model_validator

from maml_rl.config.keys.adam import AdamKeys
from maml_rl.config.keys.gradient_steps import GradientStepKeys, InnerLossName


class ProMPKeys(AdamKeys, GradientStepKeys):
    """ProMP: clipped Adam steps and a penalty on the change before adaptation (Rothfuss et al. 2019)."""

    inner_loss: InnerLossName = "likelihood-ratio"
    """Loss of the inner steps: likelihood-ratio (ProMP's own), reinforce, dice, loaded-dice."""
    inner_kl: Annotated[float, Field(ge=0)] = 5e-4
    """Coefficient of KL(old || new) before each inner step; the first one if there is a target."""
    inner_kl_target: Annotated[float, Field(gt=0)] | None = None
    """KL, in nats, towards which the coefficient is halved or doubled after each update; none keeps it."""

    @model_validator(mode="after")
    def _check_coefficient(self) -> "ProMPKeys":
        """Check that the coefficient can be halved and doubled."""
        if self.inner_kl_target is not None and self.inner_kl == 0:
            raise ValueError("inner-kl 0 stays 0, whatever inner-kl-target: give it a number above 0")
        return self
