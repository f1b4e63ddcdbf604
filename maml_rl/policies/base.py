"""Policies as functions of their parameters: one set of them, or one per task side by side."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributions import Distribution

from maml_rl.parameters import Layout, Params
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.policies.heads import last_layers

HEAD = "head."
"""Beginning of the names of a module's last layers, where it says which they are."""


class HessianProduct(ABC):
    """Products with the Hessian of one loss, in a policy's parameters."""

    @abstractmethod
    def product(
        self,
        vectors: Float[Tensor, "N P"],
        cotangent_dot: Callable[[ActionDistribution], Iterable[Tensor]],
    ) -> Float[Tensor, "N P"]:
        """Return the Hessian times ``vectors``.

        Args:
            cotangent_dot: returns how the loss's derivative by the distribution's numbers changes, given how
                those change.
        """


class Linearisation(ABC):
    """A policy's first and second derivatives at ``[N, P]`` parameters and ``[N, M, O]`` observations.

    Vectors are ``[N, P]``. What belongs to the action distribution (tangents, cotangents) comes as a
    distribution whose parameters are those numbers.
    """

    pi: ActionDistribution
    """The action distribution, without a graph."""

    @abstractmethod
    def jvp(self, vectors: Float[Tensor, "N P"]) -> ActionDistribution:
        """Return how the distribution's numbers change in the direction ``vectors``, ``J v``."""

    @abstractmethod
    def vjp(self, cotangent: Iterable[Tensor]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ u``: the gradient of a loss whose derivative by those numbers is ``u``."""

    @abstractmethod
    def hessian(self, cotangent: Iterable[Tensor]) -> HessianProduct:
        """Return products with the Hessian of a loss whose derivative by those numbers is ``cotangent``."""


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
    def at(self, params: Params) -> Callable[[Float[Tensor, "*B O"]], ActionDistribution]:
        """Return the policy under ``params``: observations to the action distribution's parameters."""

    def outputs(self, observations: Float[Tensor, "*B O"], params: Params) -> ActionDistribution:
        """Return the action distribution's parameters at ``observations``; `at` is what to override."""
        return self.at(params)(observations)

    @abstractmethod
    def linearise(self, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]) -> Linearisation:
        """Return the policy's derivatives at ``params``."""

    @abstractmethod
    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw what ``outputs(...).sample`` turns into ``shape`` actions."""

    def forward(self, observations: Float[Tensor, "*B O"], params: Params | None = None) -> Distribution:
        """Return ``pi(. | observations)`` under ``params``, or under the policy's own parameters."""
        return self.outputs(observations, self.own_params() if params is None else params).distribution()

    def update_params(
        self,
        loss: Float[Tensor, ""],
        params: Params | None = None,
        step_size: float = 0.5,
        first_order: bool = False,
    ) -> "OrderedDict[str, Tensor]":
        """Return ``params - step_size * grad loss``, the inner step of MAML (Finn et al. 2017, eq. 1).

        Unless ``first_order``, the result can be differentiated through the gradient. What needs no gradient,
        as buffers do not, stays as it is.
        """
        params = self.own_params() if params is None else params
        moving = {name: param for name, param in params.items() if param.requires_grad}
        grads = torch.autograd.grad(loss, list(moving.values()), create_graph=not first_order)
        updated = zip(moving.items(), grads, strict=True)
        return OrderedDict(params) | {name: param - step_size * grad for (name, param), grad in updated}

    def own_params(self) -> "OrderedDict[str, Tensor]":
        """Return the policy's own parameters by name, in the order of `layout`."""
        return OrderedDict(self.named_parameters())

    @torch.no_grad()
    def get_vector(self) -> Float[Tensor, "P"]:
        """Return a copy of the policy's own parameters as one vector."""
        return self.layout.join(self.own_params())

    @torch.no_grad()
    def set_vector(self, vector: Float[Tensor, "P"]) -> None:
        """Overwrite the policy's own parameters."""
        parts = self.layout.view(vector)
        for name, x in self.own_params().items():
            x.copy_(parts[name])

    def unflatten(self, vectors: Float[Tensor, "*N P"]) -> Params:
        """View vectors as named parameters; leading dimensions stay."""
        return self.layout.view(vectors)

    @property
    def head_parts(self) -> tuple[str, ...]:
        """Names of the parts behind the last features: the last layers, and deviations that states share.

        Those are all parts called ``head``, if there are some.
        """
        params = self.own_params()
        if named := tuple(name for name in params if name.startswith(HEAD)):
            return named
        with torch.enable_grad():
            observations = torch.zeros(1, self.input_size, requires_grad=True)
            return last_layers(self.outputs(observations, params), params)

    @property
    def moving(self) -> Collection[str]:
        """Names of the parts that adaptation and learning change: all, unless overridden."""
        return self.layout.shapes.keys()

    @cached_property
    def layout(self) -> Layout:
        """The order of the parameters in a vector: that of `own_params`."""
        return Layout({name: param.shape for name, param in self.own_params().items()})
