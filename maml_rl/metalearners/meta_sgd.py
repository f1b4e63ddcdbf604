"""Meta-SGD (Li et al. 2017): a learned step size for each parameter, part of theta."""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import DifferentiableAdaptation, ScaledGradientStep
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.metalearners.parts import loss_of
from maml_rl.policies.base import Policy
from maml_rl.policies.extended import ExtendedPolicy

STEP_SIZE = "meta.step_size"
"""The part of theta that holds the step sizes, behind the policy's own parameters and as many."""


class MetaSGD(TrustRegionMAML):
    """Learns theta and the inner step sizes by TRPO on the surrogate loss after adaptation."""

    @staticmethod
    def extended(policy: Policy, settings: Any) -> Policy:
        """Return the policy with a step size for each number of its theta."""
        return ExtendedPolicy(policy, {STEP_SIZE: torch.full((policy.layout.size,), settings.fast_lr)})

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> DifferentiableAdaptation:
        """Return gradient steps of the learned sizes."""
        return LearnedSizes(policy, loss_of(settings), settings.fast_lr, settings.first_order)


class LearnedSizes(ScaledGradientStep):
    """Gradient steps whose sizes are the second half of the parameters (Li et al. 2017, eq. 2)."""

    def sizes(self, params: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return the sizes of the first half; those of the sizes themselves are 0."""
        half = params.shape[1] // 2
        return F.pad(params[:, half:], (0, half))

    def jvp_of_sizes(
        self, vectors: Float[Tensor, "N P"], gradient: Float[Tensor, "N P"]
    ) -> Float[Tensor, "N P"]:
        """Return ``v - gradient * sizes(v)``: the sizes are a linear function."""
        return vectors - gradient * self.sizes(vectors)

    def vjp_of_sizes(
        self, vectors: Float[Tensor, "N P"], gradient: Float[Tensor, "N P"]
    ) -> Float[Tensor, "N P"]:
        """Return the transposed product: the gradient by the sizes is the second half's."""
        half = vectors.shape[1] // 2
        return vectors - F.pad((gradient * vectors)[:, :half], (half, 0))

    def step_size(self, scale: float) -> float:
        """Return ``scale``: the sizes are in the parameters."""
        return scale
