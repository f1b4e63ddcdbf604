"""Keys of promp."""

from typing import Annotated

from pydantic import Field

from maml_rl.config.block import Positive
from maml_rl.config.keys.gradient_steps import GradientStepKeys


class ProMPKeys(GradientStepKeys):
    """ProMP: clipped Adam steps and a penalty on the change before adaptation (Rothfuss et al. 2019)."""

    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of Adam, which moves theta."""
    adam_steps: Positive = 5
    """Steps of Adam per meta-update, each with a gradient of its own."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Distance from 1 at which ratios of probabilities are clipped after adaptation."""
    inner_kl: Annotated[float, Field(ge=0)] = 5e-4
    """Coefficient of KL(old || new) before each inner step; the first one if there is a target."""
    inner_kl_target: Annotated[float, Field(gt=0)] | None = None
    """KL, in nats, towards which the coefficient is halved or doubled after each update; none keeps it."""
