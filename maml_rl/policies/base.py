"""Policies as functions of their parameters: one set of them, or one per task side by side."""

from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from maml_rl.policies.distributions import ActionDistribution
from maml_rl.policies.network import Params


class Linearisation(ABC):
    """A policy's first and second derivatives at ``[N, P]`` parameters and ``[N, M, O]`` observations.

    Vectors are ``[N, P]``. What belongs to the action distribution (tangents, cotangents) comes as a
    distribution whose parameters are those numbers.
    """

    pi: ActionDistribution
    """The action distribution, without a graph."""

    @abstractmethod
    def push_forward(self, vectors: Float[Tensor, "N P"]) -> ActionDistribution:
        """Return how the distribution's parameters change in the direction ``vectors``, ``J v``."""

    @abstractmethod
    def pull_back(self, cotangent: Sequence[Tensor]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ u``: the gradient of a loss whose derivative by those parameters is ``u``."""

    @abstractmethod
    def fix_loss(self, cotangent: Sequence[Tensor]) -> None:
        """Choose the loss of `hessian_product`, by its derivative by the distribution's parameters."""

    @abstractmethod
    def hessian_product(
        self,
        vectors: Float[Tensor, "N P"],
        cotangent_dot: Callable[[ActionDistribution], Sequence[Tensor]],
    ) -> Float[Tensor, "N P"]:
        """Return the loss's Hessian times ``vectors``.

        Args:
            cotangent_dot: how what `fix_loss` was given changes with the distribution's parameters, given
                how those change.
        """


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
        pieces = torch.split(vectors, self._sizes, dim=-1)
        lead = vectors.shape[:-1]
        return {
            name: piece.view(*lead, *shape)
            for (name, shape), piece in zip(self._shapes.items(), pieces, strict=True)
        }

    @cached_property
    def _shapes(self) -> dict[str, torch.Size]:
        return {name: param.shape for name, param in self.named_parameters()}

    @cached_property
    def _sizes(self) -> list[int]:
        return [shape.numel() for shape in self._shapes.values()]
