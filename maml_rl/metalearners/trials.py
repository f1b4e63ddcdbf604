"""Trials: the rounds of a task one behind the other, as sequences without gaps."""

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from maml_rl.advantages import step_mask, step_weights
from maml_rl.baseline import Baseline
from maml_rl.config import MeanOver
from maml_rl.config.keys.rl2 import Scope
from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.stacked import StackedEpisodes


class Trials:
    """N tasks of K trials each; a trial is episode ``k`` of every round.

    What is joined is ``[B, L, ...]``, with B = N K trials in task order, padded with 0 to the longest one, L
    steps. Episodes that ended early leave no gap.

    Args:
        rounds: each one's episodes, ``[N, T, K, ...]``.
    """

    def __init__(self, rounds: Sequence[EpisodeData]):
        self.rounds = rounds
        lengths = torch.stack([data.lengths for data in self.rounds])
        self._starts = lengths.cumsum(0) - lengths
        self.num_tasks, self.trials_per_task = lengths.shape[1:]
        self.lengths: Int[Tensor, "N K"] = lengths.sum(0)

    @classmethod
    def of(cls, rounds: Sequence[Sequence[BatchEpisodes]]) -> "Trials":
        """Return the trials of episodes, ``[round][task]``."""
        return cls([_side_by_side(episodes) for episodes in rounds])

    def rewarded(self, factor: Tensor) -> "Trials":
        """Return the same trials with all rewards times ``factor``, in float64."""
        return Trials([data._replace(rewards=data.rewards.double() * factor) for data in self.rounds])

    @property
    def real(self) -> Bool[Tensor, "B L"]:
        """True at the steps that each trial really has."""
        return step_mask(self.lengths, self.num_steps).transpose(1, 2).flatten(0, 1)

    @property
    def num_steps(self) -> int:
        """Steps of the longest trial, L."""
        return int(self.lengths.max())

    def join(self, of_rounds: Iterable[Tensor]) -> Shaped[Tensor, "B L *x"]:
        """Return something of each round's steps, ``[N, T, K, ...]``, one trial's behind each other."""
        joined: Tensor | None = None
        for data, start, values in zip(self.rounds, self._starts, of_rounds, strict=True):
            task, time, trial = step_mask(data.lengths, values.shape[1]).nonzero(as_tuple=True)
            if joined is None:
                joined = values.new_zeros((*self.lengths.shape, self.num_steps, *values.shape[3:]))
            joined[task, trial, start[task, trial] + time] = values[task, time, trial]
        assert joined is not None
        return joined.flatten(0, 1)

    @cached_property
    def observations(self) -> Float[Tensor, "B L O"]:
        """Observations before each action, flat."""
        return self.join(data.observations.flatten(3) for data in self.rounds)

    @cached_property
    def actions(self) -> Shaped[Tensor, "B L *act"]:
        """Actions."""
        return self.join(data.actions for data in self.rounds)

    @cached_property
    def rewards(self) -> Float[Tensor, "B L"]:
        """Rewards after each action."""
        return self.join(data.rewards for data in self.rounds)

    @cached_property
    def ends(self) -> Bool[Tensor, "B L"]:
        """True at each episode's last step."""
        return self.join(_last_steps(data) for data in self.rounds)

    def weights(self, mean_over: MeanOver) -> Float[Tensor, "B L"]:
        """Return each step's weight in its task's mean: `step_weights`, where a trial is an episode."""
        weights = step_weights(self.lengths, self.num_steps, mean_over)
        return weights.transpose(1, 2).flatten(0, 1)

    @cached_property
    def as_episodes(self) -> EpisodeData:
        """Each trial as if it were one episode, ``[N, L, K, ...]``."""
        shape = (self.num_tasks, self.trials_per_task, self.num_steps)

        def time_major(joined: Tensor) -> Tensor:
            return joined.view(*shape, *joined.shape[2:]).transpose(1, 2)

        observations, actions, rewards = map(time_major, (self.observations, self.actions, self.rewards))
        return EpisodeData(observations, actions, rewards, self.lengths)

    def values_of_trials(self, baseline: Baseline, gamma: float) -> Float[Tensor, "B L"]:
        """Return a baseline's values, fitted to what each task's whole trials still bring; float64."""
        baseline.fit_data(self.as_episodes, gamma)
        return baseline.values(self.as_episodes).transpose(1, 2).flatten(0, 1) * self.real

    def values_of_episodes(self, baseline: Baseline, gamma: float) -> Float[Tensor, "B L"]:
        """Return a baseline's values, fitted to what the episodes of each round still bring; float64."""

        def fitted(data: EpisodeData) -> Tensor:
            baseline.fit_data(data, gamma)
            return baseline.values(data)

        return self.join(map(fitted, self.rounds))


class Scopes(NamedTuple):
    """How far credit and bootstrapping reach: over the whole trial, or to the episode's end."""

    credit: Scope
    bootstrap: Scope


def trial_advantages(  # noqa: PLR0913, each is a symbol of the equation
    rewards: Float[Tensor, "B L"],
    values: Float[Tensor, "B L"],
    ends: Bool[Tensor, "B L"],
    gamma: float,
    gae_lambda: float,
    scopes: Scopes,
) -> Float[Tensor, "B L"]:
    """Return ``A_t = d_t + gamma lambda A_{t+1}`` with ``d_t = r_t + gamma V_{t+1} - V_t``, in float64.

    At an episode's end, ``A_{t+1}`` counts as 0 unless credit runs over the trial, and ``V_{t+1}`` unless
    bootstrapping does. A trial ends with its last step, behind which rewards and values are 0.
    """
    rewards, values = rewards.double(), values.double()
    go_on = {"trial": torch.ones_like(rewards), "episode": (~ends).double()}
    following = torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], dim=1)
    deltas = rewards + gamma * go_on[scopes.bootstrap] * following - values
    advantages, later = torch.empty_like(deltas), torch.zeros_like(deltas[:, 0])
    for t in reversed(range(deltas.shape[1])):
        later = deltas[:, t] + gamma * gae_lambda * go_on[scopes.credit][:, t] * later
        advantages[:, t] = later
    return advantages


class Sequences(NamedTuple):
    """B sequences of up to L steps, as a recurrent policy is trained on; all ``[B, ...]``."""

    inputs: Float[Tensor, "B L I"]
    states: Float[Tensor, "B S"]
    """State before the first step."""
    actions: Shaped[Tensor, "B L *act"]
    advantages: Float[Tensor, "B L"]
    targets: Float[Tensor, "B L"]
    """What a critic is to say."""
    weights: Float[Tensor, "B L"]
    """Each step's in its task's mean; 0 behind a sequence's end, and where it only warms up."""
    tasks: Int[Tensor, "B"]
    """Number of the task."""

    def take(self, rows: Tensor) -> "Sequences":
        """Return some of the sequences."""
        return Sequences(*(x[rows] for x in self))

    def stacked(self) -> StackedEpisodes:
        """Return the steps as losses take them, a sequence for a task."""
        return StackedEpisodes(self.inputs, self.actions, self.advantages, self.weights)


def _side_by_side(episodes: Sequence[BatchEpisodes]) -> EpisodeData:
    """Return the episodes of N tasks, padded to the longest."""

    def pad(tensors: Iterable[Tensor]) -> Tensor:
        return nn.utils.rnn.pad_sequence(list(tensors), batch_first=True)

    return EpisodeData(
        pad(batch.observations for batch in episodes),
        pad(batch.actions for batch in episodes),
        pad(batch.rewards for batch in episodes),
        torch.stack([batch.data.lengths for batch in episodes]),
    )


def _last_steps(data: EpisodeData) -> Bool[Tensor, "N T K"]:
    time = torch.arange(data.rewards.shape[1], device=data.rewards.device)[:, None]
    return time == data.lengths[:, None] - 1
