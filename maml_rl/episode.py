"""Episodes of one task, padded to one length: the unit that samplers produce and learners consume."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, SupportsFloat, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from maml_rl.advantages import (
    Credit,
    discounted_returns,
    features_of,
    generalized_advantages,
    standardize,
    step_mask,
    step_weights,
)
from maml_rl.config import MeanOver

SUCCESS = "success"
"""The name among the extras of what says, at each step, whether the episode has succeeded."""

Step = tuple[NDArray[Any], NDArray[Any], float]
"""Observation, action and reward."""


class EpisodeData(NamedTuple):
    """Recorded episodes, time-major: of one task (no ``N``), or of several side by side."""

    observations: Float[Tensor, "..."]
    actions: Shaped[Tensor, "..."]
    rewards: Float[Tensor, "*N T K"]
    lengths: Int[Tensor, "*N K"]
    """Real steps of each episode; everything behind them is 0."""
    last_observations: Float[Tensor, "..."] | None = None
    """The observation after each episode's last step, where it is known."""
    truncated: Shaped[Tensor, "*N K"] | None = None
    """True if the time limit ended the episode, where it is known."""
    extras: Mapping[str, Shaped[Tensor, "*N T K"]] = MappingProxyType({})
    """Numbers of each step that the environment told in ``info``; 0 behind an episode's end."""
    reward_scale: Float[Tensor, "*N"] | None = None
    """The factor between rewards and advantages, once these are computed; 0 where no action mattered."""


@runtime_checkable
class FittedBaseline(Protocol):
    """A fitted estimate of the state value, as advantages need it."""

    def values(self, data: EpisodeData) -> Float[Tensor, "*N T K"]:
        """Return ``V(s_t)`` for every step."""
        ...

    def last_values(self, data: EpisodeData) -> Float[Tensor, "*N K"]:
        """Return the value of the observation after each episode's last step."""
        ...


class BatchEpisodes:
    """K episodes of one task, time-major and zero-padded to the longest, T steps.

    Filled step by step with `append`, or made whole with `from_data`. ``len(episodes)`` is T.

    Args:
        batch_size: number of episodes, K.
        gamma: discount factor of `returns`.
        device: where the tensors live.
        mean_over: what losses of these episodes are means over.
    """

    def __init__(
        self,
        batch_size: int,
        gamma: float = 0.95,
        device: torch.device | str = "cpu",
        *,
        mean_over: MeanOver = "episodes",
    ):
        self.batch_size = batch_size
        self.gamma = gamma
        self.device = torch.device(device)
        self.mean_over: MeanOver = mean_over
        self._steps: defaultdict[int, list[Step]] = defaultdict(list)
        self._data: EpisodeData | None = None
        self._advantages: Tensor | None = None

    @classmethod
    def from_data(
        cls,
        data: EpisodeData,
        gamma: float,
        advantages: Float[Tensor, "T K"] | None = None,
        *,
        mean_over: MeanOver = "episodes",
    ) -> "BatchEpisodes":
        """Wrap recorded tensors of one task, ``[T, K, ...]``, which are not copied."""
        episodes = cls(data.rewards.shape[-1], gamma, data.rewards.device, mean_over=mean_over)
        episodes._data, episodes._advantages = data, advantages
        return episodes

    def append(
        self,
        observations: Iterable[ArrayLike],
        actions: Iterable[ArrayLike],
        rewards: Iterable[SupportsFloat],
        batch_ids: Iterable[int | None],
    ) -> None:
        """Add one time step: one entry for each episode still running, named by ``batch_ids``.

        An id of ``None`` passes an entry over. Raises `ValueError` for an id outside ``[0, K)`` and
        for episodes made whole by `from_data`, which have no more steps to come.
        """
        if self._data is not None and not self._steps:
            raise ValueError("cannot append to episodes that were made from whole tensors")
        for observation, action, reward, index in zip(
            observations, actions, rewards, batch_ids, strict=False
        ):
            if index is None:
                continue
            if not 0 <= index < self.batch_size:
                raise ValueError(f"batch id {index}: expected 0 to {self.batch_size - 1}, or None")
            # Copies: environments may reuse the arrays that they return.
            step = (np.array(observation, np.float32), np.array(action), float(reward))
            self._steps[index].append(step)
        self._data = self._advantages = None

    @property
    def data(self) -> EpisodeData:
        """The recorded tensors."""
        if self._data is None:
            self._data = _pad(self._steps, self.batch_size, self.device)
        return self._data

    @property
    def observations(self) -> Float[Tensor, "T K *obs"]:
        """Observations before each action."""
        return self.data.observations

    @property
    def actions(self) -> Shaped[Tensor, "T K *act"]:
        """Actions as the policy chose them (before any clipping by the environment)."""
        return self.data.actions

    @property
    def rewards(self) -> Float[Tensor, "T K"]:
        """Rewards after each action."""
        return self.data.rewards

    @property
    def lengths(self) -> list[int]:
        """Number of real steps of each episode."""
        lengths: list[int] = self.data.lengths.tolist()
        return lengths

    @property
    def num_steps(self) -> int:
        """Number of real steps of all episodes together."""
        return int(self.data.lengths.sum())

    @property
    def mask(self) -> Float[Tensor, "T K"]:
        """1 at real steps, 0 behind an episode's end."""
        return step_mask(self.data.lengths, len(self)).float()

    @property
    def weights(self) -> Float[Tensor, "T K"]:
        """Weight of each step in a mean over the episodes; 0 behind an episode's end."""
        return step_weights(self.data.lengths, len(self), self.mean_over)

    @property
    def returns(self) -> Float[Tensor, "T K"]:
        """Discounted sum of the rewards from each step on, over real steps."""
        return discounted_returns(self.rewards, self.gamma) * self.mask

    @property
    def advantages(self) -> Float[Tensor, "T K"]:
        """Advantages, once `compute_advantages` was called or they were set."""
        if self._advantages is None:
            raise ValueError(
                "the advantages have not been computed: call episodes.compute_advantages(baseline) "
                "or set episodes.advantages"
            )
        return self._advantages

    @advantages.setter
    def advantages(self, value: Float[Tensor, "T K"]) -> None:
        if tuple(value.shape) != tuple(self.rewards.shape):
            raise ValueError(f"advantages: expected shape {[*self.rewards.shape]}, got {[*value.shape]}")
        self._advantages = value.to(self.device)

    def compute_advantages(
        self,
        baseline: FittedBaseline,
        gae_lambda: float = 1.0,
        normalize: bool = True,
        bootstrap_truncated: bool = False,
    ) -> Float[Tensor, "T K"]:
        """Set and return GAE advantages over ``baseline``, which must have been fitted."""
        credit = Credit(self.gamma, gae_lambda, bootstrap_truncated, self.mean_over, normalize)
        advantages, scale = scaled_advantages(self.data, baseline, credit)
        self._data, self._advantages = self.data._replace(reward_scale=scale), advantages
        return advantages

    def __len__(self) -> int:
        return self.data.rewards.shape[0]


def compute_advantages(
    data: EpisodeData, baseline: FittedBaseline, credit: Credit
) -> Float[Tensor, "*N T K"]:
    """Return the advantages of ``data`` over a fitted ``baseline`` as float32.

    With ``bootstrap_truncated`` an episode that the time limit cut is followed by the baseline's
    value of its last observation; otherwise, as in the 2020 code, by 0. Normalised, advantages are 0 in tasks
    whose episodes were all rewarded alike.

    Raises:
        ValueError: bootstrapping was asked for and the data lacks the last observations.
    """
    return scaled_advantages(data, baseline, credit)[0]


def scaled_advantages(
    data: EpisodeData, baseline: FittedBaseline, credit: Credit
) -> tuple[Float[Tensor, "*N T K"], Float[Tensor, "*N"]]:
    """Return `compute_advantages`, and the factor between rewards and them, as float32.

    Raises:
        ValueError: as there.
    """
    last_values = None
    if credit.bootstrap_truncated:
        last_values = baseline.last_values(data)
        if data.truncated is not None:
            last_values = torch.where(data.truncated, last_values, 0.0)
    advantages = generalized_advantages(
        data.rewards, baseline.values(data), data.lengths, credit.gamma, credit.gae_lambda, last_values
    )
    scale = torch.ones_like(advantages[..., 0, 0])
    if credit.normalized:
        weights = step_weights(data.lengths, data.rewards.shape[-2], credit.mean_over, advantages.dtype)
        features = features_of(data.observations.numel() // data.rewards.numel())
        advantages, scale = standardize(advantages, weights, data.rewards, features)
    return advantages.float(), scale.float()


def _pad(steps: Mapping[int, Sequence[Step]], batch_size: int, device: torch.device) -> EpisodeData:
    if not steps:
        raise ValueError("these episodes have no steps yet: call episodes.append(...) first")
    first = next(iter(steps.values()))[0]
    lengths = [len(steps.get(k, ())) for k in range(batch_size)]
    shape = (max(lengths), batch_size)
    observations = np.zeros((*shape, *first[0].shape), np.float32)
    action_type = np.float32 if np.issubdtype(first[1].dtype, np.floating) else np.int64
    actions = np.zeros((*shape, *first[1].shape), action_type)
    rewards = np.zeros(shape, np.float32)
    for k, episode in steps.items():
        for t, step in enumerate(episode):
            observations[t, k], actions[t, k], rewards[t, k] = step
    return EpisodeData(
        torch.from_numpy(observations).to(device),
        torch.from_numpy(actions).to(device),
        torch.from_numpy(rewards).to(device),
        torch.tensor(lengths, device=device),
    )


def get_successes(episodes: Sequence[BatchEpisodes]) -> NDArray[np.float32] | None:
    """Return 1 for every episode that succeeded at some step, else 0, ``[tasks, K]``.

    None if the environment says it of no episode (see `SUCCESS`); one of which it says nothing has failed.
    """
    if not any(SUCCESS in batch.data.extras for batch in episodes):
        return None
    told = [batch.data.extras.get(SUCCESS, torch.zeros_like(batch.rewards)) for batch in episodes]
    return np.stack([(successes != 0).any(0).float().cpu().numpy() for successes in told])


def get_success_steps(episodes: Sequence[BatchEpisodes]) -> NDArray[np.int64]:
    """Return the time steps up to every episode's first success, or else to its end, ``[tasks, K]``."""
    steps = []
    for batch in episodes:
        successes = batch.data.extras.get(SUCCESS, torch.zeros_like(batch.rewards)) != 0
        first = successes.int().argmax(0) + 1
        steps.append(torch.where(successes.any(0), first, batch.data.lengths).cpu().numpy())
    return np.stack(steps)


def get_returns(episodes: Sequence[BatchEpisodes]) -> NDArray[np.float32]:
    """Return the undiscounted return of every episode, ``[tasks, K]``."""
    return np.stack([batch.rewards.sum(0).cpu().numpy() for batch in episodes])
