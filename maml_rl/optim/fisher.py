"""Exact products with the Fisher matrix of an adapted policy, in the parameters before adaptation.

At the old parameters the gradient of KL(old || new) is zero, so the KL's Hessian through the inner
steps has no term with the second derivative of adaptation. It is ``Jᵀ F J``, where ``F`` is the
Fisher matrix of the action distribution's own parameters and ``J`` the Jacobian of those with respect
to theta: the policy's Jacobian at the adapted phi, times one factor ``I - alpha H`` for each inner
step, ``H`` being the Hessian of that step's loss. Every factor is applied as products with graphs that
are built once, at construction, and used by all products after it. No third derivative is taken.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import inner_gradient
from maml_rl.episode import StackedEpisodes
from maml_rl.policies.base import Policy
from maml_rl.policies.distributions import ActionDistribution


class InnerJacobian:
    """``d phi / d theta`` of the inner steps, for N tasks side by side.

    Args:
        train: one entry per inner step.
        params: theta, once per task.
        first_order: take the Jacobian to be the identity.
    """

    def __init__(
        self,
        policy: Policy,
        train: Sequence[StackedEpisodes],
        params: Float[Tensor, "N P"],
        fast_lr: float,
        first_order: bool,
    ):
        self._fast_lr = fast_lr
        self._steps: list[tuple[Tensor, Tensor]] = []
        for episodes in train:
            point = params.detach().requires_grad_()
            gradient = inner_gradient(policy, episodes, point, create_graph=not first_order)
            params = point.detach() - fast_lr * gradient.detach()
            if not first_order:
                self._steps.append((point, gradient))
        self.adapted: Float[Tensor, "N P"] = params
        """phi, the parameters after the last step."""

    def product(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return ``J v``: the first step's factor acts first."""
        for step in self._steps:
            vectors = self._factor(step, vectors)
        return vectors

    def transposed_product(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ v``: each factor is symmetric, so only their order turns round."""
        for step in reversed(self._steps):
            vectors = self._factor(step, vectors)
        return vectors

    def _factor(self, step: tuple[Tensor, Tensor], vectors: Tensor) -> Tensor:
        point, gradient = step
        (hessian_product,) = torch.autograd.grad(gradient, point, vectors, retain_graph=True)
        return vectors - self._fast_lr * hessian_product


class PolicyJacobian:
    """The action distribution's parameters as a function of the policy's, linearised at ``params``."""

    def __init__(
        self,
        policy: Policy,
        episodes: StackedEpisodes,
        params: Float[Tensor, "N P"],
    ):
        self._params = params.detach().requires_grad_()
        self._weights = episodes.weights
        self.pi: ActionDistribution = policy.outputs(episodes.observations, policy.unflatten(self._params))
        # J v is the derivative of Jᵀ u by u, in direction v: linear in u, so any u does.
        self._cotangents = [torch.zeros_like(x, requires_grad=True) for x in self.pi]
        (self._pullback,) = torch.autograd.grad(self.pi, self._params, self._cotangents, create_graph=True)

    def fisher_product(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return each task's mean Fisher matrix, in the policy's parameters, times ``vectors``."""
        tangent = torch.autograd.grad(self._pullback, self._cotangents, vectors, retain_graph=True)
        with torch.no_grad():
            cotangent = self.pi.fisher(type(self.pi)(*tangent), self._weights)  # type: ignore[arg-type]
        return self.pullback(list(cotangent))

    def pullback(self, cotangents: Sequence[Tensor]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ u``."""
        (product,) = torch.autograd.grad(self.pi, self._params, cotangents, retain_graph=True)
        return product
