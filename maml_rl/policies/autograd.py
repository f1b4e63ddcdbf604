"""A policy's first and second derivatives by reverse differentiation alone."""

from collections.abc import Callable, Collection, Iterable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.parameters import Layout, Params
from maml_rl.policies.base import HessianProduct, Linearisation
from maml_rl.policies.distributions import ActionDistribution


class AutogradLinearisation(Linearisation):
    """`Linearisation` of any function of parameters, on a graph that is recorded once.

    A product with the Jacobian is the derivative of its transposed product, ``d(vᵀ Jᵀ u) / du``. PyTorch's
    forward mode, which would do with smaller graphs, has one level of dual numbers for the whole process:
    threads, each with a chunk of tasks, would end each other's.

    Args:
        run: returns the distribution under named parameters.
        moving: names of the parts of ``params`` that derivatives are asked for; those by others are 0.
    """

    def __init__(
        self,
        run: Callable[[Params], ActionDistribution],
        layout: Layout,
        params: Float[Tensor, "N P"],
        moving: Collection[str],
    ):
        constant = layout.view(params.detach())
        with torch.enable_grad():
            self._params = params.detach().requires_grad_()
            leaves = {name: x for name, x in layout.view(self._params).items() if name in moving}
            outputs = run(constant | leaves)
        self.kind, self._outputs = type(outputs), tuple(outputs)
        self.pi = self.kind(*(x.detach() for x in outputs))
        self._transposed: _Transposed | None = None

    def jvp(self, vectors: Float[Tensor, "N P"]) -> ActionDistribution:
        """Return ``J v``."""
        if self._transposed is None:
            self._transposed = self.transposed(torch.zeros_like(x) for x in self.pi)
        return self.kind(*self._transposed.jvp(vectors))

    def vjp(self, cotangent: Iterable[Tensor]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ u``."""
        with torch.enable_grad():
            slope = _dot(self._outputs, cotangent)
        return torch.autograd.grad(slope, self._params, retain_graph=True)[0]

    def hessian(self, cotangent: Iterable[Tensor]) -> "AutogradHessian":
        """Return products with a loss's Hessian."""
        return AutogradHessian(self, self.transposed(cotangent))

    def transposed(self, cotangent: Iterable[Tensor]) -> "_Transposed":
        """Return ``Jᵀ u`` with its graph."""
        return _Transposed(self._params, self._outputs, cotangent)


class AutogradHessian(HessianProduct):
    """`HessianProduct` of the same function."""

    def __init__(self, at: AutogradLinearisation, transposed: "_Transposed"):
        self._at, self._transposed = at, transposed

    def product(
        self,
        vectors: Float[Tensor, "N P"],
        cotangent_dot: Callable[[ActionDistribution], Iterable[Tensor]],
    ) -> Float[Tensor, "N P"]:
        """Return the Hessian times ``vectors``."""
        curvature, tangent = self._transposed.derivatives(vectors)
        return curvature + self._at.vjp(cotangent_dot(self._at.kind(*tangent)))


class _Transposed:
    """``Jᵀ u`` as a function of the parameters and of ``u``."""

    def __init__(self, params: Tensor, outputs: Sequence[Tensor], cotangent: Iterable[Tensor]):
        self._params, self._cotangent = params, [u.detach().requires_grad_() for u in cotangent]
        with torch.enable_grad():
            slope = _dot(outputs, self._cotangent)
        (self._product,) = torch.autograd.grad(slope, params, create_graph=True)

    def jvp(self, vectors: Float[Tensor, "N P"]) -> Sequence[Tensor]:
        """Return ``J v``."""
        return self._grad(vectors, self._cotangent)

    def derivatives(self, vectors: Float[Tensor, "N P"]) -> tuple[Tensor, Sequence[Tensor]]:
        """Return the derivative of ``vᵀ Jᵀ u`` by the parameters, and ``J v``."""
        curvature, *tangent = self._grad(vectors, [self._params, *self._cotangent])
        return curvature, tangent

    def _grad(self, vectors: Float[Tensor, "N P"], by: Sequence[Tensor]) -> Sequence[Tensor]:
        with torch.enable_grad():
            slope = (self._product * vectors).sum()
        return torch.autograd.grad(slope, by, retain_graph=True, materialize_grads=True)


def _dot(xs: Iterable[Tensor], us: Iterable[Tensor]) -> Tensor:
    # A number: for gradients of anything else, torch imports sympy.
    return torch.stack([(x * u).sum() for x, u in zip(xs, us, strict=True)]).sum()
