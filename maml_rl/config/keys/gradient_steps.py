"""Keys of methods whose tasks adapt by gradient steps."""

from typing import Annotated, Literal

from pydantic import Field

from maml_rl.config.block import Block

InnerLossName = Literal["reinforce", "likelihood-ratio", "dice", "loaded-dice"]
"""The losses that inner steps can descend, see `maml_rl.losses`."""


class InnerStepKeys(Block):
    """Keys of methods whose tasks adapt by gradient steps."""

    fast_lr: Annotated[float, Field(gt=0)] = 0.1
    """Step size of the inner gradient steps (alpha)."""
    inner_loss: InnerLossName = "reinforce"
    """Loss of the inner steps: reinforce (2020), likelihood-ratio (ProMP's), dice, loaded-dice."""


class GradientStepKeys(InnerStepKeys):
    """Keys of methods that differentiate through gradient steps."""

    first_order: bool = False
    """Drop the second derivatives of the inner step (first-order MAML)."""
