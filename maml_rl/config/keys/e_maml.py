"""Keys of e-maml."""

from typing import Annotated, Literal

from pydantic import Field

from maml_rl.config.keys.adam import AdamKeys
from maml_rl.config.keys.gradient_steps import GradientStepKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys


class EMAMLKeys(AdamKeys, TrustRegionKeys, GradientStepKeys):
    """E-MAML: MAML that also credits train actions with the return after adaptation (Stadie et al. 2018)."""

    outer: Literal["trust-region", "adam"] = "trust-region"
    """Outer step: a trust region on the surrogate, or steps of Adam on the clipped one."""
    sampling_coefficient: Annotated[float, Field(ge=0)] = 1.0
    """Coefficient of log pi(train actions) times the valid return (Rothfuss et al. 2019: 1)."""
