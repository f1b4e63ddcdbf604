"""Keys of fomaml-trpo."""

from maml_rl.config.keys.gradient_steps import InnerStepKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys


class FOMAMLTRPOKeys(TrustRegionKeys, InnerStepKeys):
    """First-order MAML with a trust region: the inner step counts as a constant shift (Finn et al. 2017)."""
