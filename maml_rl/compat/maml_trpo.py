"""The meta-learner of 2020: it owns a policy and moves its parameters in place."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import TypedDict

import numpy as np
import torch
from numpy.typing import NDArray

from maml_rl.metalearners.base import MetaState
from maml_rl.metalearners.chunks import Episodes
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.policies.base import Policy


class StepResult(TypedDict):
    """The result of a meta-update. Arrays hold one number per task, ``[N]``."""

    loss_before: NDArray[np.float32]
    """Surrogate loss at the old parameters."""
    kl_before: NDArray[np.float32]
    """KL(old || new) at the old parameters: 0."""
    loss_after: NDArray[np.float32]
    """Surrogate loss at the parameters that the update left."""
    kl_after: NDArray[np.float32]
    """KL(old || new), in nats, at the parameters that the update left."""
    accepted: bool
    """True if the parameters changed; if not, they are the old ones to the bit."""
    kl: float
    """Mean of ``kl_after``."""
    improvement: float
    """By how much the mean surrogate loss fell."""
    backtracks: int
    """Number of times that the line search shortened the step."""
    cg_residual: float
    """Norm of ``g - (F + damping) s`` after conjugate gradient."""
    grad_norm: float
    """Norm of the meta-gradient."""
    inner_grad_norm: float
    """Norm of the inner gradients, mean over inner steps and tasks; 0 without inner steps."""
    entropy: float
    """Entropy of the adapted policies at the old parameters, in nats, mean over tasks."""


class MAMLTRPO:
    """Learns initial parameters theta by TRPO on the loss after adaptation.

    Args:
        policy: holds theta; it is moved to ``device``, and updated in place by `step`.
        fast_lr: step size alpha of the inner gradient steps.
        first_order: take the Jacobian of the inner steps to be the identity.
        device: where the updates are computed.
        rebuild: see `maml_rl.metalearners.base.GradientMetaLearner`.
    """

    def __init__(
        self,
        policy: Policy,
        fast_lr: float = 0.5,
        first_order: bool = False,
        device: torch.device | str = "cpu",
        *,
        rebuild: bool = False,
    ):
        self.device = torch.device(device)
        self.policy = policy.to(self.device)
        self.fast_lr, self.first_order, self.rebuild = fast_lr, first_order, rebuild
        self.seconds_waiting = 0.0
        """Seconds that the last update waited for episodes."""

    def step(
        self,
        train_futures: Sequence[Sequence[Episodes]],
        valid_futures: Sequence[Episodes],
        max_kl: float = 1e-3,
        cg_iters: int = 10,
        cg_damping: float = 1e-2,
        ls_max_steps: int = 10,
        ls_backtrack_ratio: float = 0.5,
    ) -> StepResult:
        """Make one meta-update of the policy, and say what it did.

        Args:
            train_futures: ``[inner step][task]``, episodes before each inner step.
            valid_futures: ``[task]``, episodes after the last one.

        Raises:
            FloatingPointError: parameters, losses, gradients or every KL of the line search are NaN or
                infinite; the policy is unchanged.
        """
        settings = SimpleNamespace(
            fast_lr=self.fast_lr,
            first_order=self.first_order,
            inner_loss="reinforce",
            gamma=1.0,  # Which this loss has no use for.
            max_kl=max_kl,
            cg_iters=cg_iters,
            cg_damping=cg_damping,
            ls_max_steps=ls_max_steps,
            ls_backtrack_ratio=ls_backtrack_ratio,
            fisher_fraction=1.0,
            tasks_per_item=10,
        )
        learner = TrustRegionMAML(self.policy, settings, self.device, rebuild=self.rebuild)
        state = MetaState(self.policy.get_vector(), {})
        update = learner.update(state, [*train_futures, valid_futures])
        self.policy.set_vector(update.state.theta)
        self.seconds_waiting = update.seconds_waiting
        before, after = update.per_task["loss_before"], update.per_task["loss_after"]
        improvement = float((torch.from_numpy(before).mean() - torch.from_numpy(after).mean()).item())
        numbers = {name: x for name, x in update.metrics.items() if name not in update.per_task}
        return StepResult(**update.per_task, **numbers, improvement=improvement)  # type: ignore[typeddict-item]
