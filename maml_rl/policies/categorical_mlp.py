"""Policies for discrete actions."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.parameters import Params
from maml_rl.policies.activations import Nonlinearity
from maml_rl.policies.distributions import CategoricalLogits
from maml_rl.policies.mlp import MLPPolicy, hidden_layers


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

    def head(self, params: Params) -> Callable[[Float[Tensor, "*B A"]], CategoricalLogits]:
        """Return what calls the outputs logits."""
        return CategoricalLogits

    def head_dot(
        self, outputs_dot: Float[Tensor, "N M A"], vectors: Params, params: Params
    ) -> CategoricalLogits:
        """Return the tangent."""
        return CategoricalLogits(outputs_dot)

    def pull_head(self, cotangent: Iterable[Tensor], params: Params, out: Params) -> Float[Tensor, "N M A"]:
        """Return the logits' part, which is all."""
        (logits,) = cotangent
        return logits

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw uniforms in [0, 1), ``[*shape]``."""
        return rng.random(shape, dtype=np.float32)
