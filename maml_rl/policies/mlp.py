"""Policies whose network is a multilayer perceptron."""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from maml_rl.parameters import Params
from maml_rl.policies.activations import Nonlinearity, faster
from maml_rl.policies.base import HessianProduct, Linearisation, Policy
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.policies.mlp_derivatives import NetworkHessian, NetworkLinearisation, as_factors


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
        self.nonlinearity = faster(nonlinearity)
        self.layer_names = tuple(layers)
        sizes = [input_size, *layers.values()]
        for name, fan_in, fan_out in zip(layers, sizes, sizes[1:], strict=False):
            layer = nn.Linear(fan_in, fan_out)
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
            self.add_module(name, layer)

    @torch.no_grad()
    def scale_outputs(self, factor: float) -> None:
        """Multiply the last layer's weights by ``factor``."""
        self.get_parameter(f"{self.layer_names[-1]}.weight").mul_(factor)

    @abstractmethod
    def head(self, params: Params) -> Callable[[Float[Tensor, "*B A"]], ActionDistribution]:
        """Return what makes the network's outputs an action distribution, under ``params``."""

    @abstractmethod
    def head_dot(
        self, outputs_dot: Float[Tensor, "N M A"], vectors: Params, params: Params
    ) -> ActionDistribution:
        """Return how the distribution changes with the outputs and with parameters of its own."""

    @abstractmethod
    def pull_head(self, cotangent: Iterable[Tensor], params: Params, out: Params) -> Float[Tensor, "N M A"]:
        """Return the part of ``cotangent`` that is the outputs'; write the parameters' own to ``out``."""

    def at(self, params: Params) -> Callable[[Float[Tensor, "*B O"]], ActionDistribution]:
        """Return the policy under ``params``; the last layer is linear."""
        stacked = params[f"{self.layer_names[0]}.weight"].dim() == 3
        layers = [as_factors(params[f"{name}.weight"], params[f"{name}.bias"]) for name in self.layer_names]
        head = self.head(params)

        def outputs(observations: Float[Tensor, "*B O"]) -> ActionDistribution:
            tasks = observations.shape[:1] if stacked else (1,)
            x = observations.reshape(*tasks, -1, self.input_size)
            for weight, bias in layers[:-1]:
                x = self.nonlinearity(torch.baddbmm(bias, x, weight))
            weight, bias = layers[-1]
            x = torch.baddbmm(bias, x, weight)
            return head(x.view(*observations.shape[:-1], x.shape[-1]))

        return outputs

    def linearise(
        self, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]
    ) -> "MLPLinearisation":
        """Return the policy's derivatives at ``params``."""
        return MLPLinearisation(self, observations, params)


class MLPLinearisation(Linearisation):
    """`Linearisation` of an MLP policy: its network's, and its head's on top."""

    def __init__(self, policy: MLPPolicy, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]):
        self.policy = policy
        self.params = policy.unflatten(params.detach())
        self.network = NetworkLinearisation(
            policy.layer_names, policy.nonlinearity, observations, self.params
        )
        self._template = params
        self.pi = policy.head(self.params)(self.network.outputs)

    def jvp(self, vectors: Float[Tensor, "N P"]) -> ActionDistribution:
        """Return ``J v``."""
        named = self.policy.unflatten(vectors)
        return self.policy.head_dot(self.network.jvp(named), named, self.params)

    def vjp(self, cotangent: Iterable[Tensor]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ u``."""
        result, out = self.new_vectors()
        self.network.vjp(self.policy.pull_head(cotangent, self.params, out), out)
        return result

    def hessian(self, cotangent: Iterable[Tensor]) -> "MLPHessian":
        """Return products with a loss's Hessian."""
        return MLPHessian(self, cotangent)

    def new_vectors(self) -> tuple[Float[Tensor, "N P"], Params]:
        """Return room for ``[N, P]`` numbers, and the same memory as named parameters."""
        vectors = torch.empty(self._template.shape, dtype=self._template.dtype, device=self._template.device)
        return vectors, self.policy.unflatten(vectors)


class MLPHessian(HessianProduct):
    """`HessianProduct` of an MLP policy."""

    def __init__(self, at: MLPLinearisation, cotangent: Iterable[Tensor]):
        self._at = at
        _, scratch = at.new_vectors()
        self._network = NetworkHessian(at.network, at.policy.pull_head(cotangent, at.params, scratch))

    def product(
        self,
        vectors: Float[Tensor, "N P"],
        cotangent_dot: Callable[[ActionDistribution], Iterable[Tensor]],
    ) -> Float[Tensor, "N P"]:
        """Return the Hessian times ``vectors``."""
        policy, params = self._at.policy, self._at.params
        named = policy.unflatten(vectors)
        result, out = self._at.new_vectors()

        # Annotated with plain types: jaxtyping's would be made anew at every call.
        def of_outputs(outputs_dot: Tensor) -> Tensor:
            tangent = policy.head_dot(outputs_dot, named, params)
            return policy.pull_head(cotangent_dot(tangent), params, out)

        self._network.product(named, of_outputs, out)
        return result


def hidden_layers(hidden_sizes: Sequence[int]) -> dict[str, int]:
    """Name the hidden layers ``layer1``, ``layer2``, … as 2020 checkpoints do."""
    return {f"layer{i}": size for i, size in enumerate(hidden_sizes, start=1)}
