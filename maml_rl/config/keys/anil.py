"""Keys of anil."""

from maml_rl.config.keys.gradient_steps import GradientStepKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys


class ANILKeys(TrustRegionKeys, GradientStepKeys):
    """ANIL: MAML-TRPO of which only the last layer and the deviation adapt (Raghu et al. 2020)."""

    inner_parts: tuple[str, ...] = ()
    """Parts that adapt, as 'layer2.*'; unless given, the last layer and deviations that states share."""
