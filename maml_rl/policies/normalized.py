"""Policies with statistics among their parameters, so that workers, learner and tests all have the same."""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from gymnasium import spaces
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.parameters import Params
from maml_rl.policies.base import HessianProduct, Linearisation, Policy
from maml_rl.policies.distributions import ActionDistribution

OBSERVATION_MEAN = "meta.observation_mean"
OBSERVATION_SCALE = "meta.observation_scale"
"""The parts of theta that are subtracted from observations, and multiplied with what is left."""
REWARD_SCALE = "meta.reward_scale"
"""The part of theta that rewards are multiplied with before advantages are computed."""
FARTHEST = 10.0
"""Standard deviations from the mean at which observations are clipped."""


def normalized_space(space: gym.Space[Any]) -> spaces.Box:
    """Return the space of normalised observations."""
    return spaces.Box(-FARTHEST, FARTHEST, space.shape or (), np.float32)


class PolicyWithStatistics(Policy):
    """A policy with further parameters that adaptation and outer steps leave as they are.

    Args:
        policy: acts.
        statistics: the parameters behind its own, by name, as they are at first.
    """

    def __init__(self, policy: Policy, statistics: Mapping[str, Tensor]):
        super().__init__(policy.input_size, policy.output_size)
        self.policy = policy
        self._statistics = tuple(statistics)
        for name, x in statistics.items():
            self.register_buffer(_buffer(name), x)

    def own_params(self) -> "OrderedDict[str, Tensor]":
        """Return the policy's own parameters, then the statistics."""
        statistics = {name: self.get_buffer(_buffer(name)) for name in self._statistics}
        return OrderedDict(self.policy.own_params() | statistics)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the policy's, and the statistics behind it."""
        statistics = {name: self.get_buffer(_buffer(name)).detach() for name in self._statistics}
        return OrderedDict(self.policy.state_dict() | statistics)

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load a state dict of the policy with its statistics.

        Raises:
            KeyError: the statistics are not there.
        """
        state = dict(state_dict)
        for name in self._statistics:
            self.get_buffer(_buffer(name)).copy_(state.pop(name))
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

    def linearise(
        self, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]
    ) -> "PaddedLinearisation":
        """Return the policy's derivatives at ``params``."""
        return PaddedLinearisation(self, observations, params)

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw what the policy draws."""
        return self.policy.noise(rng, shape)


class NormalizedPolicy(PolicyWithStatistics):
    """A policy that sees ``(observation - mean) * scale``, clipped; at first, mean and scale are 0 and 1."""

    def __init__(self, policy: Policy):
        size = policy.input_size
        super().__init__(policy, {OBSERVATION_MEAN: torch.zeros(size), OBSERVATION_SCALE: torch.ones(size)})

    def seen(self, observations: Float[Tensor, "*B O"], params: Params) -> Float[Tensor, "*B O"]:
        """Return the observations, normalised."""
        mean, scale = params[OBSERVATION_MEAN], params[OBSERVATION_SCALE]
        if mean.dim() == 2:  # One of each task, [N, O].
            shape = (len(mean), *(1,) * (observations.dim() - 2), mean.shape[1])
            mean, scale = mean.view(shape), scale.view(shape)
        return ((observations - mean) * scale).clamp(-FARTHEST, FARTHEST)


class PaddedLinearisation(Linearisation):
    """`Linearisation` of a policy with statistics, by which all derivatives are 0."""

    def __init__(
        self, policy: PolicyWithStatistics, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]
    ):
        self.size = policy.policy.layout.size
        seen = policy.seen(observations, policy.unflatten(params.detach()))
        self._inner = policy.policy.linearise(seen, self.inner(params))
        self.pi = self._inner.pi
        self._statistics = params.shape[-1] - self.size

    def inner(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N Q"]:
        """Return the policy's own part of ``vectors``."""
        return vectors[..., : self.size].contiguous()

    def padded(self, vectors: Float[Tensor, "N Q"]) -> Float[Tensor, "N P"]:
        """Return ``vectors`` with 0 for the statistics."""
        return F.pad(vectors, (0, self._statistics))

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
    """`HessianProduct` of a policy with statistics."""

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
