"""Policies for discrete actions, one or several at once."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.parameters import Params
from maml_rl.policies.activations import Nonlinearity
from maml_rl.policies.distributions import ActionDistribution, CategoricalLogits
from maml_rl.policies.mlp import MLPPolicy, hidden_layers
from maml_rl.policies.multi_categorical import MultiCategorical, multi_categorical


class CategoricalMLPPolicy(MLPPolicy):
    """A softmax over ``output_size`` actions; layers ``layer1`` … ``layerL``, the last one linear."""

    def __init__(
        self,
        input_size: int,
        output_size: int,
        hidden_sizes: Sequence[int] = (),
        nonlinearity: Nonlinearity = F.relu,
    ):
        layers = hidden_layers([*hidden_sizes, output_size])
        super().__init__(input_size, layers, nonlinearity, output_size)

    def head(self, params: Params) -> Callable[[Float[Tensor, "*B A"]], ActionDistribution]:
        """Return what calls the outputs logits."""
        return CategoricalLogits

    def head_dot(
        self, outputs_dot: Float[Tensor, "N M A"], vectors: Params, params: Params
    ) -> ActionDistribution:
        """Return the tangent."""
        return CategoricalLogits(outputs_dot)

    def pull_head(self, cotangent: Iterable[Tensor], params: Params, out: Params) -> Float[Tensor, "N M A"]:
        """Return the logits' part, which is all."""
        (logits,) = cotangent
        return logits

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw uniforms in [0, 1), ``[*shape]``."""
        return rng.random(shape, dtype=np.float32)


class MultiCategoricalMLPPolicy(CategoricalMLPPolicy):
    """A softmax for each of several choices, over ``sizes`` actions each, on one network."""

    def __init__(
        self,
        input_size: int,
        sizes: Sequence[int],
        hidden_sizes: Sequence[int] = (),
        nonlinearity: Nonlinearity = F.relu,
    ):
        super().__init__(input_size, sum(sizes), hidden_sizes, nonlinearity)
        self.sizes = tuple(sizes)

    @property
    def kind(self) -> type[MultiCategorical]:
        """The class of its distributions."""
        return multi_categorical(self.sizes)

    def head(self, params: Params) -> Callable[[Float[Tensor, "*B A"]], MultiCategorical]:
        """Return what calls the outputs logits of all choices, one behind another."""
        return self.kind

    def head_dot(
        self, outputs_dot: Float[Tensor, "N M A"], vectors: Params, params: Params
    ) -> MultiCategorical:
        """Return the tangent."""
        return self.kind(outputs_dot)

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw uniforms in [0, 1), one for each choice, ``[*shape, D]``."""
        return rng.random((*shape, len(self.sizes)), dtype=np.float32)
