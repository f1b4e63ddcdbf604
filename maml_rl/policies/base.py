"""Policies as functions of their parameters: one set of them, or one per task side by side."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from maml_rl.errors import UsageError
from maml_rl.policies.distributions import ActionDistribution

Params = Mapping[str, Tensor]
Nonlinearity = Callable[[Tensor], Tensor]


class Policy(nn.Module, ABC):
    """A stochastic policy ``pi(a | s)`` that can run on parameters other than its own.

    Parameters may carry a leading task dimension, ``[N, *shape]``; the observations then are
    ``[N, ..., O]``, and task ``n``'s are seen by task ``n``'s parameters (one batched matrix product).

    Args:
        input_size: numbers in one observation, O.
        output_size: action dimensions, or the number of discrete actions, A.
    """

    def __init__(self, input_size: int, output_size: int):
        super().__init__()
        self.input_size = input_size
        self.output_size = output_size

    @abstractmethod
    def outputs(self, observations: Float[Tensor, "*B O"], params: Params) -> ActionDistribution:
        """Return the action distribution's parameters at ``observations``."""

    @abstractmethod
    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw what ``outputs(...).sample`` turns into ``shape`` actions."""

    def forward(self, observations: Float[Tensor, "*B O"], params: Params | None = None) -> Distribution:
        """Return ``pi(. | observations)`` under ``params``, or under the policy's own parameters."""
        own = OrderedDict(self.named_parameters())
        return self.outputs(observations, own if params is None else params).distribution()

    def update_params(
        self,
        loss: Float[Tensor, ""],
        params: Params | None = None,
        step_size: float = 0.5,
        first_order: bool = False,
    ) -> "OrderedDict[str, Tensor]":
        """Return ``params - step_size * grad loss``, the inner step of MAML (Finn et al. 2017, eq. 1).

        Unless ``first_order``, the result can be differentiated through the gradient.
        """
        params = OrderedDict(self.named_parameters()) if params is None else params
        grads = torch.autograd.grad(loss, list(params.values()), create_graph=not first_order)
        updated = zip(params.items(), grads, strict=True)
        return OrderedDict((name, param - step_size * grad) for (name, param), grad in updated)

    @torch.no_grad()
    def get_vector(self) -> Float[Tensor, "P"]:
        """Return a copy of the policy's own parameters as one vector."""
        return parameters_to_vector(self.parameters()).clone()

    @torch.no_grad()
    def set_vector(self, vector: Float[Tensor, "P"]) -> None:
        """Overwrite the policy's own parameters."""
        vector_to_parameters(vector, self.parameters())

    def unflatten(self, vectors: Float[Tensor, "*N P"]) -> Params:
        """View vectors as named parameters; leading dimensions stay."""
        shapes = {name: param.shape for name, param in self.named_parameters()}
        pieces = torch.split(vectors, [shape.numel() for shape in shapes.values()], dim=-1)
        lead = vectors.shape[:-1]
        return {
            name: piece.view(*lead, *shape)
            for (name, shape), piece in zip(shapes.items(), pieces, strict=True)
        }


class MLPPolicy(Policy):
    """A policy whose network is a multilayer perceptron: Xavier-uniform weights, zero biases."""

    def __init__(
        self,
        input_size: int,
        layers: Mapping[str, int],
        nonlinearity: Nonlinearity,
        output_size: int,
    ):
        super().__init__(input_size, output_size)
        self.nonlinearity = nonlinearity
        self.layer_names = tuple(layers)
        sizes = [input_size, *layers.values()]
        for name, fan_in, fan_out in zip(layers, sizes, sizes[1:], strict=False):
            layer = nn.Linear(fan_in, fan_out)
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
            self.add_module(name, layer)

    def network(self, observations: Float[Tensor, "*B O"], params: Params) -> Float[Tensor, "*B A"]:
        """Run the perceptron; the last layer is linear."""
        stacked = params[f"{self.layer_names[0]}.weight"].dim() == 3
        x = observations.flatten(1, -2) if stacked else observations
        for name in self.layer_names:
            x = _linear(x, params[f"{name}.weight"], params[f"{name}.bias"])
            if name != self.layer_names[-1]:
                x = self.nonlinearity(x)
        return x.view(*observations.shape[:-1], -1) if stacked else x


def _linear(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if weight.dim() == 2:
        return F.linear(x, weight, bias)
    return torch.baddbmm(bias[:, None, :], x, weight.mT)


def hidden_layers(hidden_sizes: Sequence[int]) -> dict[str, int]:
    """Name the hidden layers ``layer1``, ``layer2``, … as 2020 checkpoints do."""
    return {f"layer{i}": size for i, size in enumerate(hidden_sizes, start=1)}


def nonlinearity_named(name: str) -> Nonlinearity:
    """Return the activation function called ``name`` in torch (``relu``, ``tanh``, ``Tanh``, ``elu``, …).

    Raises:
        UsageError: there is no such function, or it does not map a tensor to one of the same shape.
    """
    for namespace in (torch, F):
        for spelling in (name, name.lower()):
            function = getattr(namespace, spelling, None)
            if callable(function) and _is_elementwise(function):
                return function
    raise UsageError(
        f"nonlinearity '{name}': expected a function of torch or torch.nn.functional "
        "that keeps the shape of its argument, such as relu, tanh, elu, softplus or silu"
    )


def _is_elementwise(function: Callable[..., object]) -> bool:
    probe = torch.linspace(-1, 1, 4)
    try:
        result = function(probe)
    except Exception:
        return False
    return isinstance(result, Tensor) and result.shape == probe.shape and result.is_floating_point()
