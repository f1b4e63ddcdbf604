"""A baseline that is a small value network."""

from collections.abc import Iterator
from itertools import islice

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.baseline.base import Steps, TaskwiseBaseline, ValueFunction
from maml_rl.baseline.features import Scaling

HIDDEN = 32
"""Units of the hidden layer."""
ITERATIONS = 5
"""Iterations of L-BFGS between two looks at the episodes held out."""
LOOKS = 12
"""Looks, at most."""
HELD_OUT = 5
"""One in so many episodes is held out, and one at least; of a single one, none."""
WEIGHT_DECAY = 1e-3
"""Factor of the squared weights, beside the mean squared error of standardised returns."""
FARTHEST = 10.0
"""Deviations from the mean at which inputs are clipped."""
Parameters = tuple[Tensor, Tensor, Tensor]
"""Weights and biases of the hidden layer, and the weights behind it."""


class NetworkBaseline(TaskwiseBaseline):
    """A perceptron on observation and time, fitted by L-BFGS from the same start each time.

    It is trained for as long as it comes closer to the returns of episodes that are held out, and then for as
    long on all. The Gaussian baseline of rllab (Duan et al. 2016) goes on from the fit before instead.
    """

    def fit_task(self, steps: Steps) -> ValueFunction:
        """Return the network that fits the returns."""
        scaling = Scaling.of(_with_time(steps.observations, steps.times))
        centre = steps.returns.mean()
        spread = steps.returns.std(correction=0)

        def inputs(observations: Tensor, times: Tensor) -> Tensor:
            return scaling(_with_time(observations, times)).clamp(-FARTHEST, FARTHEST)

        targets = (steps.returns - centre) / torch.where(spread > 0, spread, 1.0)
        parameters = _fit(inputs(steps.observations, steps.times), targets, _held_out(steps))
        return lambda observations, times: _network(inputs(observations, times), parameters) * spread + centre


def _held_out(steps: Steps) -> Tensor:
    """Return whether each step belongs to an episode that is held out."""
    number = int(steps.episodes[-1]) + 1
    return steps.episodes < (max(1, number // HELD_OUT) if number > 1 else 0)


def _fit(inputs: Float[Tensor, "n I"], targets: Float[Tensor, "n"], held_out: Tensor) -> Parameters:
    """Return the network after as much training as predicts what is held out best."""
    others = ~held_out
    errors = [
        float((_network(inputs[held_out], parameters) - targets[held_out]).square().sum())
        for parameters in _training(inputs[others], targets[others])
    ]
    best = min(range(len(errors)), key=errors.__getitem__)
    return next(islice(_training(inputs, targets), best, None))


def _with_time(observations: Float[Tensor, "*B O"], times: Float[Tensor, "*B"]) -> Float[Tensor, "*B I"]:
    return torch.cat([observations, times[..., None]], dim=-1)


def _network(inputs: Float[Tensor, "*B I"], parameters: Parameters) -> Float[Tensor, "*B"]:
    hidden, bias, last = parameters
    return torch.tanh(inputs @ hidden + bias) @ last


def _training(inputs: Float[Tensor, "n I"], targets: Float[Tensor, "n"]) -> Iterator[Parameters]:
    """Yield the parameters at each look: first those of a network that is 0 everywhere."""
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(inputs.shape[1], HIDDEN, generator=generator, dtype=inputs.dtype)
    start = weights / inputs.shape[1] ** 0.5, torch.zeros(HIDDEN), torch.zeros(HIDDEN)
    hidden, bias, last = parameters = [x.to(inputs).requires_grad_() for x in start]
    optimizer = torch.optim.LBFGS(parameters, max_iter=ITERATIONS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        error = (_network(inputs, (hidden, bias, last)) - targets).square().mean()
        decay = hidden.square().sum() + bias.square().sum() + last.square().sum()
        value = error + WEIGHT_DECAY * decay
        value.backward()  # type: ignore[no-untyped-call]
        return value

    yield hidden.detach(), bias.detach(), last.detach()
    for _ in range(LOOKS):
        with torch.enable_grad():
            optimizer.step(loss)  # type: ignore[no-untyped-call]
        yield hidden.detach(), bias.detach(), last.detach()
