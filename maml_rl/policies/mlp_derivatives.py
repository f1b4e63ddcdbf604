"""Derivatives of policies at one point, as products that are cheap to repeat.

A trust-region update multiplies by the same Jacobians and Hessians ten times or more. Differentiating
recorded graphs over and over does the right arithmetic at more cost: autograd allocates every
intermediate anew, and spends passes of their own on sums that a matrix product can accumulate. The
products here (Pearlmutter 1994 for the second derivatives) are almost nothing but matrix products.

Shapes: N tasks side by side, M steps each, P parameters; a perceptron's layers are ``z = h Wᵀ + b``,
``h = f(z)``. A name that ends in ``_dot`` is a derivative in the direction ``vectors``.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.parameters import Params
from maml_rl.policies.activations import Nonlinearity, curvature, value_and_slope


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
        self.layers = tuple(layers)
        self.nonlinearity = nonlinearity
        self.weights = [params[f"{name}.weight"] for name in layers]
        biases = [params[f"{name}.bias"] for name in layers]
        self.z: list[Tensor] = []
        self.h = [inputs]
        self.slopes: list[Tensor] = []
        for weight, bias in zip(self.weights[:-1], biases, strict=False):
            z = affine(self.h[-1], weight, bias)
            h, slope = value_and_slope(nonlinearity, z)
            self.z.append(z)
            self.h.append(h)
            self.slopes.append(slope)
        self.outputs: Float[Tensor, "N M A"] = affine(self.h[-1], self.weights[-1], biases[-1])

    def jvp(self, vectors: Params) -> Float[Tensor, "N M A"]:
        """Return the derivative of the outputs in the direction ``vectors``."""
        return self.forward_dot(vectors)[0][-1]

    def forward_dot(self, vectors: Params) -> tuple[list[Tensor], list[Tensor]]:
        """Return the derivatives of ``z`` of every layer and of ``h`` of the hidden ones."""
        z_dots: list[Tensor] = []
        h_dots: list[Tensor] = []
        for i, name in enumerate(self.layers):
            z_dot = affine(self.h[i], vectors[f"{name}.weight"], vectors[f"{name}.bias"])
            if i > 0:
                z_dot.baddbmm_(h_dots[-1], self.weights[i].mT)
            if i < len(self.slopes):
                h_dots.append(z_dot * self.slopes[i])
            z_dots.append(z_dot)
        return z_dots, h_dots

    def vjp(self, cotangents: Float[Tensor, "N M A"], out: Params) -> None:
        """Write to ``out`` the gradient of a loss whose derivative by the outputs is ``cotangents``."""
        delta = cotangents
        for i in reversed(range(len(self.layers))):
            self.write(out, i, delta, _gram(delta, self.h[i]))
            if i > 0:
                delta = torch.bmm(delta, self.weights[i]).mul_(self.slopes[i - 1])

    def write(self, out: Params, i: int, delta: Tensor, gram: Tensor) -> None:
        """Write to ``out`` the gradient of layer ``i``, given that of ``z`` and its product with ``h``."""
        out[f"{self.layers[i]}.weight"].copy_(gram)
        out[f"{self.layers[i]}.bias"].copy_(delta.sum(1))


class NetworkHessian:
    """Products with the Hessian of a loss, in a perceptron's parameters.

    Args:
        network: linearised where the Hessian is to be taken.
        cotangents: the loss's derivative by the network's outputs.
    """

    def __init__(self, network: NetworkLinearisation, cotangents: Float[Tensor, "N M A"]):
        self._network = network
        self._deltas, self._bends = [cotangents], list[Tensor | None]()
        for i in reversed(range(1, len(network.layers))):
            back = torch.bmm(self._deltas[0], network.weights[i])
            bend = curvature(network.nonlinearity, network.z[i - 1], network.h[i])
            self._bends.insert(0, None if bend is None else bend.mul_(back))
            self._deltas.insert(0, back.mul_(network.slopes[i - 1]))

    def product(
        self,
        vectors: Params,
        cotangents_dot: Callable[[Float[Tensor, "N M A"]], Float[Tensor, "N M A"]],
        out: Params,
    ) -> None:
        """Write to ``out`` the Hessian times ``vectors``.

        Args:
            cotangents_dot: the derivative of the loss's cotangents, given that of the outputs.
        """
        network = self._network
        z_dots, h_dots = network.forward_dot(vectors)
        delta_dot = cotangents_dot(z_dots[-1])
        for i in reversed(range(len(network.layers))):
            gram = _gram(delta_dot, network.h[i])
            if i > 0:
                gram = gram + _gram(self._deltas[i], h_dots[i - 1])
            network.write(out, i, delta_dot, gram)
            if i > 0:
                back_dot = torch.bmm(delta_dot, network.weights[i])
                back_dot.baddbmm_(self._deltas[i], vectors[f"{network.layers[i]}.weight"])
                delta_dot = back_dot.mul_(network.slopes[i - 1])
                bend = self._bends[i - 1]
                if bend is not None:
                    delta_dot.addcmul_(bend, z_dots[i - 1])


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
