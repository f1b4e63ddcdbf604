"""Keys of maml-ppo."""

from maml_rl.config.keys.adam import AdamKeys
from maml_rl.config.keys.gradient_steps import GradientStepKeys


class MAMLPPOKeys(AdamKeys, GradientStepKeys):
    """MAML with clipped Adam steps: PPO on the return after adaptation (Schulman et al. 2017)."""
