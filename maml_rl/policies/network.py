"""Derivatives of policies at one point, as products that are cheap to repeat.

A trust-region update multiplies by the same Jacobians and Hessians ten times or more. Differentiating
recorded graphs over and over does the right arithmetic at more cost: autograd allocates every
intermediate anew, and spends passes of their own on sums that a matrix product can accumulate. The
products here (Pearlmutter 1994 for the second derivatives) are almost nothing but matrix products.

Shapes: N tasks side by side, M steps each, P parameters; a perceptron's layers are ``z = h Wᵀ + b``,
``h = f(z)``. A name that ends in ``_dot`` is a derivative in the direction ``vectors``.
"""

from collections.abc import Callable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

Params = Mapping[str, Tensor]
Nonlinearity = Callable[[Tensor], Tensor]


class NetworkLinearisation:
    """A perceptron with parameters ``[N, …]`` at inputs ``[N, M, I]``. Nothing in it keeps a graph.

    Args:
        layers: names of the layers, in order; each has ``<name>.weight`` and ``<name>.bias``.
        nonlinearity: elementwise, between layers.
    """

    def __init__(
        self,
        layers: Sequence[str],
        nonlinearity: Nonlinearity,
        inputs: Float[Tensor, "N M I"],
        params: Params,
    ):
        self._layers = tuple(layers)
        self._nonlinearity = nonlinearity
        self._weights = [params[f"{name}.weight"] for name in layers]
        biases = [params[f"{name}.bias"] for name in layers]
        self._z: list[Tensor] = []
        self._h = [inputs]
        self._slopes: list[Tensor] = []
        for weight, bias in zip(self._weights[:-1], biases, strict=False):
            z = affine(self._h[-1], weight, bias)
            h, slope = _value_and_slope(nonlinearity, z)
            self._z.append(z)
            self._h.append(h)
            self._slopes.append(slope)
        self.outputs: Float[Tensor, "N M A"] = affine(self._h[-1], self._weights[-1], biases[-1])
        self._deltas: list[Tensor] = []
        self._bends: list[Tensor | None] = []

    def push_forward(self, vectors: Params) -> Float[Tensor, "N M A"]:
        """Return the derivative of the outputs in the direction ``vectors``."""
        return self._push(vectors)[0][-1]

    def _push(self, vectors: Params) -> tuple[list[Tensor], list[Tensor]]:
        """Return the derivatives of ``z`` of every layer and of ``h`` of the hidden ones."""
        z_dots: list[Tensor] = []
        h_dots: list[Tensor] = []
        for i, name in enumerate(self._layers):
            z_dot = affine(self._h[i], vectors[f"{name}.weight"], vectors[f"{name}.bias"])
            if i > 0:
                z_dot.baddbmm_(h_dots[-1], self._weights[i].mT)
            if i < len(self._slopes):
                h_dots.append(z_dot * self._slopes[i])
            z_dots.append(z_dot)
        return z_dots, h_dots

    def pull_back(self, cotangents: Float[Tensor, "N M A"], out: Params) -> None:
        """Write to ``out`` the gradient of a loss whose derivative by the outputs is ``cotangents``."""
        delta = cotangents
        for i in reversed(range(len(self._layers))):
            self._write(out, i, delta, _gram(delta, self._h[i]))
            if i > 0:
                delta = torch.bmm(delta, self._weights[i]).mul_(self._slopes[i - 1])

    def fix_loss(self, cotangents: Float[Tensor, "N M A"]) -> None:
        """Choose the loss of `hessian_product`, by its derivative at the outputs."""
        self._deltas, self._bends = [cotangents], []
        for i in reversed(range(1, len(self._layers))):
            back = torch.bmm(self._deltas[0], self._weights[i])
            curvature = _curvature(self._nonlinearity, self._z[i - 1])
            self._bends.insert(0, None if curvature is None else back * curvature)
            self._deltas.insert(0, back * self._slopes[i - 1])

    def hessian_product(
        self,
        vectors: Params,
        cotangents_dot: Callable[[Float[Tensor, "N M A"]], Float[Tensor, "N M A"]],
        out: Params,
    ) -> None:
        """Write to ``out`` the Hessian of the loss that `fix_loss` chose, times ``vectors``.

        Args:
            cotangents_dot: the derivative of the loss's cotangents, given that of the outputs.
        """
        z_dots, h_dots = self._push(vectors)
        delta_dot = cotangents_dot(z_dots[-1])
        for i in reversed(range(len(self._layers))):
            gram = _gram(delta_dot, self._h[i])
            if i > 0:
                gram = gram + _gram(self._deltas[i], h_dots[i - 1])
            self._write(out, i, delta_dot, gram)
            if i > 0:
                back_dot = torch.bmm(delta_dot, self._weights[i])
                back_dot.baddbmm_(self._deltas[i], vectors[f"{self._layers[i]}.weight"])
                delta_dot = back_dot.mul_(self._slopes[i - 1])
                bend = self._bends[i - 1]
                if bend is not None:
                    delta_dot.addcmul_(bend, z_dots[i - 1])

    def _write(self, out: Params, i: int, delta: Tensor, gram: Tensor) -> None:
        out[f"{self._layers[i]}.weight"].copy_(gram)
        out[f"{self._layers[i]}.bias"].copy_(delta.sum(1))


def affine(
    x: Float[Tensor, "N M I"], weight: Float[Tensor, "N O I"], bias: Float[Tensor, "N O"]
) -> Float[Tensor, "N M O"]:
    """Return ``x Wᵀ + b`` for each task."""
    factor, offset = as_factors(weight, bias)
    return torch.baddbmm(offset, x, factor)


def as_factors(weight: Float[Tensor, "*N O I"], bias: Float[Tensor, "*N O"]) -> tuple[Tensor, Tensor]:
    """View a layer as a batched product takes it, ``[N, I, O]`` and ``[N, 1, O]``; without N, N is 1."""
    return weight.view(-1, *weight.shape[-2:]).mT, bias.view(-1, 1, bias.shape[-1])


def _gram(a: Float[Tensor, "N M P"], b: Float[Tensor, "N M Q"]) -> Float[Tensor, "N P Q"]:
    """Return ``aᵀ b``, a sum over steps."""
    # BLAS is several times faster where the narrower factor comes first.
    return torch.bmm(a.mT, b) if a.shape[-1] <= b.shape[-1] else torch.bmm(b.mT, a).mT


def _value_and_slope(function: Nonlinearity, z: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        value = function(z)
        # Of a sum, because torch imports sympy for gradients of anything but a number.
        (slope,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), slope


def _curvature(function: Nonlinearity, z: Tensor) -> Tensor | None:
    """Return the second derivative, or None where it is zero everywhere, as a rectifier's is."""
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(function(z).sum(), z, create_graph=True)
        if not slope.requires_grad:
            return None
        (curvature,) = torch.autograd.grad(slope.sum(), z, materialize_grads=True)
    return curvature if bool(curvature.any()) else None
