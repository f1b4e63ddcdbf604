"""Gaussian policies for continuous actions."""

import math
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn

from maml_rl.parameters import Params
from maml_rl.policies.activations import Nonlinearity
from maml_rl.policies.distributions import DiagonalNormal
from maml_rl.policies.mlp import MLPPolicy, hidden_layers


class NormalMLPPolicy(MLPPolicy):
    """``a ~ Normal(mu(s), diag(exp(2 sigma)))``: an MLP for the mean, one trainable log-std per action.

    Parameters are named ``layer1.weight``, ``layer1.bias``, …, ``mu.weight``, ``mu.bias``, ``sigma``,
    so that 2020 checkpoints load with ``strict=True``. ``sigma`` is a log standard deviation, clamped
    from below at ``log(min_std)``.
    """

    def __init__(  # noqa: PLR0913, the signature of 2020
        self,
        input_size: int,
        output_size: int,
        hidden_sizes: Sequence[int] = (),
        nonlinearity: Nonlinearity = F.relu,
        init_std: float = 1.0,
        min_std: float = 1e-6,
    ):
        layers = hidden_layers(hidden_sizes) | {"mu": output_size}
        super().__init__(input_size, layers, nonlinearity, output_size)
        self.min_log_std = math.log(min_std)
        self.sigma = nn.Parameter(torch.full((output_size,), math.log(init_std)))

    def head(self, params: Params) -> Callable[[Float[Tensor, "*B A"]], DiagonalNormal]:
        """Return what takes outputs as means, beside log-stds ``[A]``, or ``[N, 1…, A]`` where stacked."""
        log_std = params["sigma"].clamp(min=self.min_log_std)

        def normal(means: Tensor) -> DiagonalNormal:
            between = (1,) * (means.dim() - 2) if log_std.dim() == 2 else ()
            return DiagonalNormal(means, log_std.view(*log_std.shape[:-1], *between, -1))

        return normal

    def head_dot(
        self, outputs_dot: Float[Tensor, "N M A"], vectors: Params, params: Params
    ) -> DiagonalNormal:
        """Return the tangent; a clamped log-std does not move."""
        return DiagonalNormal(outputs_dot, (vectors["sigma"] * self._free(params))[:, None, :])

    def pull_head(self, cotangent: Iterable[Tensor], params: Params, out: Params) -> Float[Tensor, "N M A"]:
        """Return the mean's part; write the log-std's to ``out``."""
        mean, log_std = cotangent
        out["sigma"].copy_(log_std[:, 0] * self._free(params))
        return mean

    def _free(self, params: Params) -> Tensor:
        return params["sigma"] >= self.min_log_std

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw standard normals ``[*shape, A]``."""
        return rng.standard_normal((*shape, self.output_size), dtype=np.float32)
