"""Keys of methods whose tasks adapt by gradient steps."""

from typing import Annotated

from pydantic import Field

from maml_rl.config.block import Block


class GradientStepKeys(Block):
    """Keys of methods whose tasks adapt by gradient steps."""

    fast_lr: Annotated[float, Field(gt=0)] = 0.1
    """Step size of the inner gradient steps (alpha)."""
    first_order: bool = False
    """Drop the second derivatives of the inner step (first-order MAML)."""
