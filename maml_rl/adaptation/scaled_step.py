"""Gradient steps with a step size for each parameter."""

from abc import abstractmethod
from collections.abc import Iterable

from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation.base import AdaptationStep
from maml_rl.adaptation.gradient_step import FirstOrderStep, GradientStep
from maml_rl.losses import Loss
from maml_rl.policies.base import Policy
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.stacked import StackedEpisodes


class ScaledGradientStep(GradientStep):
    """Adapts each parameter by a step size of its own: ``phi = theta - sizes * gradient of the loss``.

    The sizes may be a linear function of the parameters, of a part that the step leaves as it is; a subclass
    then has `jvp_of_sizes` and `vjp_of_sizes`.
    """

    @abstractmethod
    def sizes(self, params: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return the step size of each parameter."""

    def jvp_of_sizes(
        self, vectors: Float[Tensor, "N P"], gradient: Float[Tensor, "N P"]
    ) -> Float[Tensor, "N P"]:
        """Return ``J v`` where the gradient is a constant: ``v - gradient * (change of the sizes)``."""
        return vectors

    def vjp_of_sizes(
        self, vectors: Float[Tensor, "N P"], gradient: Float[Tensor, "N P"]
    ) -> Float[Tensor, "N P"]:
        """Return the transposed product."""
        return vectors

    def moved(
        self, params: Float[Tensor, "N P"], gradient: Float[Tensor, "N P"], scale: float
    ) -> Float[Tensor, "N P"]:
        """Return the parameters after a step, given the loss's gradient before it."""
        return params - scale * self.sizes(params) * gradient

    def linearise(self, params: Float[Tensor, "N P"], batch: StackedEpisodes) -> AdaptationStep:
        """Return the step with its derivatives."""
        kind = _FirstOrder if self.first_order else _SecondOrder
        return kind(self, params, batch)


class PartialStep(ScaledGradientStep):
    """Gradient steps of some parts of a policy's parameters; the others stay what they are, to the bit.

    Args:
        parts: names of those that adapt.
    """

    def __init__(self, policy: Policy, loss: Loss, length: float, first_order: bool, parts: Iterable[str]):
        super().__init__(policy, loss, length, first_order)
        self.mask = policy.layout.mask(parts)
        """1 for the numbers that adapt, 0 for the others, ``[P]``."""

    def sizes(self, params: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return alpha for the parts that adapt, 0 for the others."""
        return (self.length * self.mask.to(params)).expand_as(params)


class _FirstOrder(FirstOrderStep):
    """A step whose gradient counts as a constant, and its sizes need not."""

    def __init__(self, rule: ScaledGradientStep, params: Float[Tensor, "N P"], batch: StackedEpisodes):
        super().__init__(rule, params, batch)
        self.scaled, self.sizes = rule, rule.sizes(params)

    def jvp(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        return self.scaled.jvp_of_sizes(vectors, self.gradient)

    def vjp(
        self, vectors: Float[Tensor, "N P"], cotangent: Iterable[Tensor] | None = None
    ) -> Float[Tensor, "N P"]:
        before = self.scaled.vjp_of_sizes(vectors, self.gradient)
        return before if cotangent is None else before + self.at.vjp(cotangent)


class _SecondOrder(_FirstOrder):
    """A step with the whole of its Jacobian: ``J v`` also has ``- sizes * H v``, not symmetric."""

    def __init__(self, rule: ScaledGradientStep, params: Float[Tensor, "N P"], batch: StackedEpisodes):
        super().__init__(rule, params, batch)
        self._hessian = self.at.hessian(self.cotangent)

    def jvp(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        return super().jvp(vectors) - self.sizes * self._hessian.product(vectors, self.cotangent_dot)

    def vjp(
        self, vectors: Float[Tensor, "N P"], cotangent: Iterable[Tensor] | None = None
    ) -> Float[Tensor, "N P"]:
        parts = None if cotangent is None else [*cotangent]

        def less_parts(tangent: ActionDistribution) -> Iterable[Tensor]:
            dots = self.cotangent_dot(tangent)
            return dots if parts is None else [dot - part for dot, part in zip(dots, parts, strict=True)]

        return super().vjp(vectors) - self._hessian.product(self.sizes * vectors, less_parts)
