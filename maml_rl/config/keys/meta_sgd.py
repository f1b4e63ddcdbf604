"""Keys of meta-sgd."""

from typing import Annotated

from pydantic import Field

from maml_rl.config.keys.gradient_steps import GradientStepKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys


class MetaSGDKeys(TrustRegionKeys, GradientStepKeys):
    """Meta-SGD: MAML-TRPO that also learns a step size for each parameter (Li et al. 2017)."""

    fast_lr: Annotated[float, Field(gt=0)] = 0.1
    """Step size of the inner gradient steps that all parameters begin with."""
