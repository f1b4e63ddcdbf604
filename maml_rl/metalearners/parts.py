"""Parts of methods, made of their settings."""

from typing import Any

from maml_rl.adaptation import GradientStep
from maml_rl.losses import Loss, inner_loss
from maml_rl.optim.adam import Adam
from maml_rl.optim.trust_region import TrustRegion
from maml_rl.policies.base import Policy


def loss_of(settings: Any) -> Loss:
    """Return the loss of the inner steps."""
    return inner_loss(settings.inner_loss, settings.gamma)


def gradient_steps(policy: Policy, settings: Any) -> GradientStep:
    """Return gradient steps of all of a policy's parameters."""
    return GradientStep(policy, loss_of(settings), settings.fast_lr, settings.first_order)


def trust_region(settings: Any) -> TrustRegion:
    """Return the trust region."""
    return TrustRegion(
        settings.max_kl,
        settings.cg_iters,
        settings.cg_damping,
        settings.ls_max_steps,
        settings.ls_backtrack_ratio,
        settings.fisher_fraction,
    )


def adam(settings: Any) -> Adam:
    """Return the steps of Adam."""
    return Adam(settings.learning_rate, settings.adam_steps)
