"""Gradient steps on a loss of the task's own episodes (Finn et al. 2017, eq. 1)."""

from collections.abc import Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation.base import CPU_CHUNK_STEPS, AdaptationStep, DifferentiableAdaptation
from maml_rl.losses import Loss
from maml_rl.policies.base import Linearisation, Policy
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.stacked import StackedEpisodes


class GradientStep(DifferentiableAdaptation):
    """Adapts all of a policy's parameters: ``phi = theta - step size * gradient of the loss``.

    Args:
        loss: of the episodes before the step.
        length: step size alpha.
        first_order: take the step's Jacobian to be the identity.
    """

    def __init__(self, policy: Policy, loss: Loss, length: float, first_order: bool = False):
        self.policy, self.loss, self.length, self.first_order = policy, loss, length, first_order

    def step_size(self, scale: float) -> float:
        """Return alpha times ``scale``."""
        return self.length * scale

    def step(
        self, params: Float[Tensor, "N P"], batch: StackedEpisodes, scale: float = 1.0
    ) -> Float[Tensor, "N P"]:
        """Take the step, on a CPU for as many tasks at once as a core's cache holds."""
        tasks, steps = batch.weights.shape
        at_once = max(1, CPU_CHUNK_STEPS // max(1, steps)) if batch.weights.device.type == "cpu" else tasks
        groups = zip(torch.split(params, at_once), batch.split(at_once), strict=True)
        return torch.cat([self._step(group, part, scale) for group, part in groups])

    def _step(
        self, params: Float[Tensor, "N P"], batch: StackedEpisodes, scale: float
    ) -> Float[Tensor, "N P"]:
        at = self.policy.linearise(batch.observations, params)
        return self.moved(params, at.vjp(self.loss.gradient(at.pi, with_old(batch, at))), scale)

    def moved(
        self, params: Float[Tensor, "N P"], gradient: Float[Tensor, "N P"], scale: float
    ) -> Float[Tensor, "N P"]:
        """Return the parameters after a step, given the loss's gradient before it."""
        return params - self.step_size(scale) * gradient

    def part(self, batch: StackedEpisodes, fraction: float) -> StackedEpisodes:
        """Return the fraction of the steps that the loss takes, see `maml_rl.losses.Loss.part`."""
        return self.loss.part(batch, fraction)

    def linearise(self, params: Float[Tensor, "N P"], batch: StackedEpisodes) -> AdaptationStep:
        """Return the step with its derivatives."""
        kind = FirstOrderStep if self.first_order else _SecondOrder
        return kind(self, params, batch)


class FirstOrderStep(AdaptationStep):
    """A gradient step whose gradient counts as a constant.

    Args:
        rule: by which it is taken.
    """

    def __init__(self, rule: GradientStep, params: Float[Tensor, "N P"], batch: StackedEpisodes):
        self.rule, self.at = rule, rule.policy.linearise(batch.observations, params)
        self.batch, self.pi = with_old(batch, self.at), self.at.pi
        self.cotangent = rule.loss.gradient(self.pi, self.batch)
        """The loss's gradient by the numbers of `pi`."""
        self.gradient = self.at.vjp(self.cotangent)
        """The loss's gradient by the parameters before the step."""
        self.params = rule.moved(params, self.gradient, 1.0)
        self.gradient_norms = self.gradient.norm(dim=-1)

    def cotangent_dot(self, tangent: ActionDistribution) -> ActionDistribution:
        """Return how `cotangent` changes in the direction ``tangent``."""
        return self.rule.loss.gradient_dot(self.pi, self.batch, tangent)

    def jvp(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return ``vectors``: the Jacobian is the identity."""
        return vectors

    def vjp(
        self, vectors: Float[Tensor, "N P"], cotangent: Iterable[Tensor] | None = None
    ) -> Float[Tensor, "N P"]:
        """Return ``vectors``, and what the loss depends on `pi` besides."""
        return vectors if cotangent is None else vectors + self.at.vjp(cotangent)


class _SecondOrder(FirstOrderStep):
    """A gradient step with its Jacobian, ``I - alpha H``, which is symmetric."""

    def __init__(self, rule: GradientStep, params: Float[Tensor, "N P"], batch: StackedEpisodes):
        super().__init__(rule, params, batch)
        self._hessian = self.at.hessian(self.cotangent)

    def jvp(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        return vectors - self.rule.length * self._hessian.product(vectors, self.cotangent_dot)

    def vjp(
        self, vectors: Float[Tensor, "N P"], cotangent: Iterable[Tensor] | None = None
    ) -> Float[Tensor, "N P"]:
        if cotangent is None:
            return self.jvp(vectors)
        parts = [part / self.rule.length for part in cotangent]

        # One sweep back through the network serves both: H v and Jᵀ u differ in what reaches the outputs.
        def less_parts(tangent: ActionDistribution) -> list[Tensor]:
            return [dot - part for dot, part in zip(self.cotangent_dot(tangent), parts, strict=True)]

        return vectors - self.rule.length * self._hessian.product(vectors, less_parts)


def with_old(batch: StackedEpisodes, at: Linearisation) -> StackedEpisodes:
    """Return the batch with its old policy: the one at hand, unless another is known."""
    return batch if batch.old is not None else batch._replace(old=at.pi)
