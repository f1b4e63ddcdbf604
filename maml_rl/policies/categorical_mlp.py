"""Policies for discrete actions."""

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.policies.base import MLPPolicy, Nonlinearity, Params, hidden_layers
from maml_rl.policies.distributions import CategoricalLogits


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

    def outputs(self, observations: Float[Tensor, "*B O"], params: Params) -> CategoricalLogits:
        """Return logits ``[*B, A]``."""
        return CategoricalLogits(self.network(observations, params))

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw uniforms in [0, 1), ``[*shape]``."""
        return rng.random(shape, dtype=np.float32)
