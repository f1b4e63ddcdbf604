"""The contract of baselines, and what those share that are fitted to one task after another."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from maml_rl.advantages import discounted_returns, step_mask
from maml_rl.episode import EpisodeData, FittedBaseline
from maml_rl.errors import finite_parts

ValueFunction = Callable[[Float[Tensor, "*B O"], Float[Tensor, "*B"]], Float[Tensor, "*B"]]
"""A fitted value: of observations and their time steps."""


@runtime_checkable
class Baseline(FittedBaseline, Protocol):
    """An estimate of the state value that is fitted to the episodes at hand."""

    def fit_data(self, data: EpisodeData, gamma: float) -> None:
        """Fit to the discounted returns of ``data``; with a leading task dimension, once per task."""
        ...


class Steps(NamedTuple):
    """The real steps of one task's episodes, one behind the other; float64."""

    observations: Float[Tensor, "n O"]
    times: Float[Tensor, "n"]
    """The time step of each, from 0 in every episode."""
    returns: Float[Tensor, "n"]
    """Discounted."""
    episodes: Int[Tensor, "n"]
    """The number of the episode that each is of; those without a step do not count."""


class TaskwiseBaseline(ABC):
    """A baseline that is fitted to one task after another: a subclass says how to one.

    Args:
        input_size: numbers in one observation, O.
    """

    def __init__(self, input_size: int):
        self.input_size = input_size
        self._values: list[ValueFunction] = []

    @abstractmethod
    def fit_task(self, steps: Steps) -> ValueFunction:
        """Return the value that the steps of one task tell of."""

    def fit_data(self, data: EpisodeData, gamma: float) -> None:
        """Fit to ``data``; with a leading task dimension, once per task.

        Raises:
            ValueError: the observations' size is not ``input_size``.
            FloatingPointError: observations or rewards are not finite.
        """
        flat_observations(data.observations, data.rewards.shape, self.input_size)
        if not bool(finite_parts(data.observations).all() and finite_parts(data.rewards).all()):
            raise FloatingPointError(
                "the baseline cannot be fitted: observations or rewards are NaN or infinite"
            )
        self._values = [self.fit_task(real_steps(task, gamma)) for task in tasks_of(data)]

    def values(self, data: EpisodeData) -> Float[Tensor, "*N T K"]:
        """Return ``V(s_t)`` for every step (float64; meaningless behind an episode's end)."""
        return self._evaluate(data.observations, step_numbers(data).expand(data.rewards.shape))

    def last_values(self, data: EpisodeData) -> Float[Tensor, "*N K"]:
        """Return the value of the observation after each episode's last step.

        Raises:
            ValueError: the data does not hold those observations.
        """
        return self._evaluate(known_last_observations(data), data.lengths)

    def _evaluate(self, observations: Tensor, times: Int[Tensor, "*N T"]) -> Float[Tensor, "*N T"]:
        """Return one value for each of ``times``, task by task."""
        times_of_task = times.reshape(len(self._values), -1)
        flat = flat_observations(observations, times_of_task.shape, self.input_size)
        of_task = zip(self._values, flat, times_of_task, strict=True)
        values = [value(x.double(), t.double()) for value, x, t in of_task]
        return torch.stack(values).view(times.shape)


def flat_observations(observations: Tensor, lead: Sequence[int], input_size: int) -> Float[Tensor, "*lead O"]:
    """Return observations of any shape as ``[*lead, O]``.

    Raises:
        ValueError: their size is not ``input_size``.
    """
    flat = observations.reshape(*lead, -1)
    if flat.shape[-1] != input_size:
        raise ValueError(f"the baseline takes observations of size {input_size}, got {flat.shape[-1]}")
    return flat


def step_numbers(data: EpisodeData) -> Int[Tensor, "T 1"]:
    """Return the number of each time step, the same in all episodes."""
    return torch.arange(data.rewards.shape[-2], device=data.rewards.device)[:, None]


def known_last_observations(data: EpisodeData) -> Tensor:
    """Return the observations after each episode's last step.

    Raises:
        ValueError: the data does not hold them.
    """
    if data.last_observations is None:
        raise ValueError("bootstrapping needs the last observations, which these episodes lack")
    return data.last_observations


def tasks_of(data: EpisodeData) -> Iterator[EpisodeData]:
    """Yield the episodes of one task after another, without what follows them."""
    if data.rewards.dim() == 2:
        yield data
    else:
        for parts in zip(data.observations, data.actions, data.rewards, data.lengths, strict=True):
            yield EpisodeData(*parts)


def real_steps(data: EpisodeData, gamma: float) -> Steps:
    """Return the real steps of one task's episodes, one episode behind another."""
    real = step_mask(data.lengths, data.rewards.shape[0]).T
    observations = data.observations.reshape(*data.rewards.shape, -1).transpose(0, 1)
    returns = discounted_returns(data.rewards.double(), gamma).T
    times = real.nonzero()[:, 1]
    episodes = (times == 0).cumsum(0) - 1
    return Steps(observations[real].double(), times.double(), returns[real], episodes)
