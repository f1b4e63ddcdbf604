"""Keys of cavia."""

from typing import Annotated

from pydantic import Field

from maml_rl.config.block import Positive
from maml_rl.config.keys.gradient_steps import GradientStepKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys


class CAVIAKeys(TrustRegionKeys, GradientStepKeys):
    """CAVIA: MAML-TRPO of which only a context adapts, an input of the first layer (Zintgraf et al. 2019)."""

    fast_lr: Annotated[float, Field(gt=0)] = 1.0
    """Step size of the context's gradient steps (alpha)."""
    context_size: Positive = 5
    """Numbers of the context, which is 0 before a task's first step."""
