"""Keys of maml-trpo."""

from maml_rl.config.keys.gradient_steps import GradientStepKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys


class MAMLTRPOKeys(TrustRegionKeys, GradientStepKeys):
    """MAML with a trust region: second-order TRPO on the return after adaptation (Finn et al. 2017)."""
