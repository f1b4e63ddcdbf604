"""Keys of reptile."""

from typing import Annotated

from pydantic import Field

from maml_rl.config.keys.gradient_steps import InnerStepKeys


class ReptileKeys(InnerStepKeys):
    """Reptile: theta moves towards the adapted parameters; no second derivatives (Nichol et al. 2018)."""

    meta_step_size: Annotated[float, Field(gt=0)] = 1.0
    """Part of the way from theta to the adapted parameters' mean that an update goes (epsilon)."""
