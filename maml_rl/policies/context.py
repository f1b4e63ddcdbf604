"""Policies whose first layer has a context as input, too, which is part of their parameters."""

import math
from collections.abc import Callable, Iterable

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.errors import UsageError
from maml_rl.parameters import Params
from maml_rl.policies.base import HessianProduct, Linearisation, Policy
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.policies.extended import ExtendedPolicy

WEIGHT, CONTEXT = "meta.context_weight", "meta.context"
"""Parts of theta: the first layer's weights for the context, ``[H, C]``, and the context, ``[C]``."""


class ContextPolicy(ExtendedPolicy):
    """A policy whose first layer that learns also has a context c as input: its bias is ``b + W c``.

    Args:
        size: of the context. W is Xavier-uniform, as if observations and context were one input.

    Raises:
        UsageError: the policy has no bias that learns.
    """

    def __init__(self, policy: Policy, size: int):
        shapes = {name: shape for name, shape in policy.layout.shapes.items() if name in policy.moving}
        biases = [name for name, shape in shapes.items() if name.endswith("bias") and len(shape) == 1]
        if not biases:
            raise UsageError(
                "context: expected a policy that has a layer with a bias that learns, to which it is added"
            )
        self.bias = biases[0]
        (width,) = policy.layout.shapes[self.bias]
        bound = math.sqrt(6 / (policy.input_size + size + width))
        weight = torch.empty(width, size).uniform_(-bound, bound)
        super().__init__(policy, {WEIGHT: weight, CONTEXT: torch.zeros(size)})

    def at(self, params: Params) -> Callable[[Float[Tensor, "*B O"]], ActionDistribution]:
        """Return the policy under ``params``."""
        shift = (params[WEIGHT] @ params[CONTEXT][..., None])[..., 0]
        inner = {name: params[name] for name in self.policy.layout.shapes}
        return self.policy.at({**inner, self.bias: inner[self.bias] + shift})

    def linearise(
        self, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]
    ) -> "ContextLinearisation":
        """Return the policy's derivatives at ``params``."""
        return ContextLinearisation(self, observations, params)


class ContextLinearisation(Linearisation):
    """`Linearisation` of a policy with a context: the policy's own, at the bias ``b + W c``."""

    def __init__(
        self, policy: ContextPolicy, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]
    ):
        self.policy, parts = policy, policy.unflatten(params.detach())
        self.weight, self.context = parts[WEIGHT], parts[CONTEXT]
        self._inner = policy.policy.linearise(observations, self.shifted(params, self.weight, self.context))
        self.pi = self._inner.pi

    def shifted(self, vectors: Tensor, weight: Tensor, context: Tensor) -> Float[Tensor, "N Q"]:
        """Return the policy's own part of ``vectors``, with the bias shifted by ``weight context``."""
        own = vectors[..., : self.policy.policy.layout.size].clone()
        self.policy.policy.unflatten(own)[self.policy.bias].add_((weight @ context[..., None])[..., 0])
        return own

    def tangent(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N Q"]:
        """Return how the policy's own parameters, with the shifted bias, change in a direction."""
        parts = self.policy.unflatten(vectors)
        own = self.shifted(vectors, parts[WEIGHT], self.context)
        self.policy.policy.unflatten(own)[self.policy.bias].add_(
            (self.weight @ parts[CONTEXT][..., None])[..., 0]
        )
        return own

    def pulled(self, own: Float[Tensor, "N Q"]) -> Float[Tensor, "N P"]:
        """Return the gradient by all parameters, given that by the policy's own with the shifted bias."""
        bias = self.policy.policy.unflatten(own)[self.policy.bias]
        return self.joined(own, bias[..., None] * self.context[:, None], (bias[:, None] @ self.weight)[:, 0])

    def joined(self, own: Tensor, weight: Tensor, context: Tensor) -> Float[Tensor, "N P"]:
        """Return one vector a task of the parts."""
        return torch.cat([own, weight.flatten(1), context], dim=-1)

    def jvp(self, vectors: Float[Tensor, "N P"]) -> ActionDistribution:
        """Return ``J v``."""
        return self._inner.jvp(self.tangent(vectors))

    def vjp(self, cotangent: Iterable[Tensor]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ u``."""
        return self.pulled(self._inner.vjp(cotangent))

    def hessian(self, cotangent: Iterable[Tensor]) -> "ContextHessian":
        """Return products with a loss's Hessian."""
        cotangent = [*cotangent]
        return ContextHessian(self, self._inner.vjp(cotangent), self._inner.hessian(cotangent))


class ContextHessian(HessianProduct):
    """`HessianProduct` of a policy with a context.

    Args:
        gradient: of the loss, by the policy's own parameters with the shifted bias.
        inner: products with the loss's Hessian by those.
    """

    def __init__(self, at: ContextLinearisation, gradient: Float[Tensor, "N Q"], inner: HessianProduct):
        self._at, self._inner = at, inner
        self._bias = at.policy.policy.unflatten(gradient)[at.policy.bias]
        self._none = torch.zeros_like(gradient)

    def product(
        self,
        vectors: Float[Tensor, "N P"],
        cotangent_dot: Callable[[ActionDistribution], Iterable[Tensor]],
    ) -> Float[Tensor, "N P"]:
        """Return the Hessian times ``vectors``: the policy's own, and that of ``W c``."""
        parts = self._at.policy.unflatten(vectors)
        straight = self._at.pulled(self._inner.product(self._at.tangent(vectors), cotangent_dot))
        weight = self._bias[..., None] * parts[CONTEXT][:, None]
        context = (self._bias[:, None] @ parts[WEIGHT])[:, 0]
        return straight + self._at.joined(self._none, weight, context)
