"""Policies with further parts of theta, so that workers, learner and tests all have the same."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.parameters import Params
from maml_rl.policies.base import HessianProduct, Linearisation, Policy
from maml_rl.policies.distributions import ActionDistribution


class ExtendedPolicy(Policy):
    """A policy with further parts of theta behind its own, by which its derivatives are 0.

    Args:
        policy: acts.
        extras: the further parts, by name, as they are at first.
    """

    def __init__(self, policy: Policy, extras: Mapping[str, Tensor]):
        super().__init__(policy.input_size, policy.output_size)
        self.policy = policy
        self._extras = tuple(extras)
        for name, x in extras.items():
            self.register_buffer(_buffer(name), x)

    def own_params(self) -> "OrderedDict[str, Tensor]":
        """Return the policy's own parameters, then the extras."""
        extras = {name: self.get_buffer(_buffer(name)) for name in self._extras}
        return OrderedDict(self.policy.own_params() | extras)

    @property
    def head_parts(self) -> tuple[str, ...]:
        """Return the policy's."""
        return self.policy.head_parts

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the policy's, and the extras behind it."""
        extras = {name: self.get_buffer(_buffer(name)).detach() for name in self._extras}
        return OrderedDict(self.policy.state_dict() | extras)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load a state dict of the policy with its extras.

        Raises:
            KeyError: the extras are not there.
            RuntimeError: one has another shape.
        """
        state = dict(state_dict)
        for name in self._extras:
            own, given = self.get_buffer(_buffer(name)), state.pop(name)
            if own.shape != given.shape:
                raise RuntimeError(f"{name}: expected shape {[*own.shape]}, got {[*given.shape]}")
            own.copy_(given)
        return self.policy.load_state_dict(state, *args, **kwargs)

    def seen(self, observations: Float[Tensor, "*B O"], params: Params) -> Float[Tensor, "*B O"]:
        """Return what the policy sees of ``observations``."""
        return observations

    def at(self, params: Params) -> Callable[[Float[Tensor, "*B O"]], ActionDistribution]:
        """Return the policy under ``params``."""
        act = self.policy.at({name: params[name] for name in self.policy.layout.shapes})

        def outputs(observations: Float[Tensor, "*B O"]) -> ActionDistribution:
            return act(self.seen(observations, params))

        return outputs

    def linearise(self, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]) -> Linearisation:
        """Return the policy's derivatives at ``params``."""
        return PaddedLinearisation(self, observations, params)

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw what the policy draws."""
        return self.policy.noise(rng, shape)


class PaddedLinearisation(Linearisation):
    """`Linearisation` of an extended policy: all derivatives by the extras are 0."""

    def __init__(
        self, policy: ExtendedPolicy, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]
    ):
        self.size = policy.policy.layout.size
        seen = policy.seen(observations, policy.unflatten(params.detach()))
        self._inner = policy.policy.linearise(seen, self.inner(params))
        self.pi = self._inner.pi
        self._extras = params.shape[-1] - self.size

    def inner(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N Q"]:
        """Return the policy's own part of ``vectors``."""
        return vectors[..., : self.size].contiguous()

    def padded(self, vectors: Float[Tensor, "N Q"]) -> Float[Tensor, "N P"]:
        """Return ``vectors`` with 0 for the extras."""
        return F.pad(vectors, (0, self._extras))

    def jvp(self, vectors: Float[Tensor, "N P"]) -> ActionDistribution:
        """Return ``J v``."""
        return self._inner.jvp(self.inner(vectors))

    def vjp(self, cotangent: Iterable[Tensor]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ u``."""
        return self.padded(self._inner.vjp(cotangent))

    def hessian(self, cotangent: Iterable[Tensor]) -> "PaddedHessian":
        """Return products with a loss's Hessian."""
        return PaddedHessian(self, self._inner.hessian(cotangent))


class PaddedHessian(HessianProduct):
    """`HessianProduct` of an extended policy."""

    def __init__(self, at: PaddedLinearisation, inner: HessianProduct):
        self._at, self._inner = at, inner

    def product(
        self,
        vectors: Float[Tensor, "N P"],
        cotangent_dot: Callable[[ActionDistribution], Iterable[Tensor]],
    ) -> Float[Tensor, "N P"]:
        """Return the Hessian times ``vectors``."""
        return self._at.padded(self._inner.product(self._at.inner(vectors), cotangent_dot))


def _buffer(name: str) -> str:
    """Return the name of a buffer, which has no dots."""
    return name.replace(".", "_")
