"""A baseline that is a small value network."""

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.baseline.base import Steps, TaskwiseBaseline, ValueFunction
from maml_rl.baseline.features import Scaling

HIDDEN = 32
"""Units of the hidden layer."""
ITERATIONS = 60
"""Iterations of L-BFGS, at most."""
WEIGHT_DECAY = 1e-3
"""Factor of the squared weights, beside the mean squared error of standardised returns."""
FARTHEST = 10.0
"""Deviations from the mean at which inputs are clipped."""
Parameters = tuple[Tensor, Tensor, Tensor]
"""Weights and biases of the hidden layer, and the weights behind it."""


class NetworkBaseline(TaskwiseBaseline):
    """A perceptron on observation and time, fitted by L-BFGS from the same start each time.

    The Gaussian baseline of rllab (Duan et al. 2016) is fitted by L-BFGS too, from the fit before.
    """

    def fit_task(self, steps: Steps) -> ValueFunction:
        """Return the network that fits the returns."""
        scaling = Scaling.of(_with_time(steps.observations, steps.times))
        centre = steps.returns.mean()
        spread = steps.returns.std(correction=0)

        def inputs(observations: Tensor, times: Tensor) -> Tensor:
            return scaling(_with_time(observations, times)).clamp(-FARTHEST, FARTHEST)

        targets = (steps.returns - centre) / torch.where(spread > 0, spread, 1.0)
        parameters = _trained(inputs(steps.observations, steps.times), targets)
        return lambda observations, times: _network(inputs(observations, times), parameters) * spread + centre


def _with_time(observations: Float[Tensor, "*B O"], times: Float[Tensor, "*B"]) -> Float[Tensor, "*B I"]:
    return torch.cat([observations, times[..., None]], dim=-1)


def _network(inputs: Float[Tensor, "*B I"], parameters: Parameters) -> Float[Tensor, "*B"]:
    hidden, bias, last = parameters
    return torch.tanh(inputs @ hidden + bias) @ last


@torch.enable_grad()
def _trained(inputs: Float[Tensor, "n I"], targets: Float[Tensor, "n"]) -> Parameters:
    """Return parameters of small weights and small squared error."""
    generator = torch.Generator().manual_seed(0)
    hidden = torch.randn(inputs.shape[1], HIDDEN, generator=generator, dtype=inputs.dtype)
    start = hidden / inputs.shape[1] ** 0.5, torch.zeros(HIDDEN), torch.zeros(HIDDEN)
    parameters = [x.to(inputs).requires_grad_() for x in start]
    optimizer = torch.optim.LBFGS(parameters, max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        decay = sum(x.square().sum() for x in parameters)
        error = (_network(inputs, (parameters[0], parameters[1], parameters[2])) - targets).square().mean()
        value = error + WEIGHT_DECAY * decay
        value.backward()  # type: ignore[no-untyped-call]
        return value

    optimizer.step(loss)  # type: ignore[no-untyped-call]
    hidden, bias, last = (x.detach() for x in parameters)
    return hidden, bias, last
