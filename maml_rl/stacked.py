"""Tasks side by side, as losses take them."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import repeat
from math import ceil
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor, nn

from maml_rl.advantages import chosen_first, rows_of, step_mask, step_weights
from maml_rl.config import MeanOver
from maml_rl.episode import BatchEpisodes, EpisodeData


class StepOrder(NamedTuple):
    """The steps of N tasks as they follow one another in K episodes, for losses that look at whole ones."""

    rewards: Float[Tensor, "N M"]
    places: Int[Tensor, "N M"]
    """Number of each step where time and episodes are counted through, ``t K + k``."""
    lengths: Int[Tensor, "N K"]
    """Real steps of each episode."""
    reward_scale: Float[Tensor, "N"]
    """The factor between rewards and advantages."""

    def by_time(self, x: Float[Tensor, "N M"]) -> Float[Tensor, "N T K"]:
        """Return ``x`` with time and episodes apart; behind an episode's end it must be 0."""
        tasks, episodes = self.lengths.shape
        steps = int(self.lengths.max())
        return (
            x.new_zeros(tasks, steps * episodes).scatter_add(1, self.places, x).view(tasks, steps, episodes)
        )

    def flat(self, x: Float[Tensor, "N T K"]) -> Float[Tensor, "N M"]:
        """Return the inverse of `by_time`; behind an episode's end there is anything."""
        return x.flatten(1).gather(1, self.places)


class StackedEpisodes(NamedTuple):
    """Tasks side by side, as losses take them; time and episodes are one dimension of M steps.

    ``(weights * x).sum(-1)`` is each task's mean of ``x`` over its real steps, see `step_weights`.
    """

    observations: Float[Tensor, "N M O"]
    actions: Shaped[Tensor, "N M *act"]
    advantages: Float[Tensor, "N M"]
    weights: Float[Tensor, "N M"]
    old: Any = None
    """The `ActionDistribution` that the actions were drawn from, where it is known."""
    order: StepOrder | None = None
    """How the steps follow one another, where it is known."""

    @property
    def old_policy(self) -> Any:
        """The `ActionDistribution` that the actions were drawn from.

        Raises:
            ValueError: it is not known.
        """
        if self.old is None:
            raise ValueError("these episodes do not say which policy sampled them: set batch.old")
        return self.old

    @property
    def step_order(self) -> StepOrder:
        """How the steps follow one another.

        Raises:
            ValueError: it is not known.
        """
        if self.order is None:
            raise ValueError(
                "the order of these steps is not known: compute the episodes' advantages, or set order;"
                " a loss that looks at whole episodes is made by Loss(value, of_whole_episodes=True)"
            )
        return self.order

    def part(self, fraction: float) -> "StackedEpisodes":
        """Return a fraction of the steps, spread evenly over each episode; weights sum to 1 again.

        Neighbouring steps are much alike, so that these few say nearly as much as all. Each episode begins a
        step earlier than the one before it, so that every time is seen in some. `order` is not kept.
        """
        time, episode = self._time_and_episode()
        number = (time + episode).double()
        of_part = ((number + 1) * fraction).ceil() > (number * fraction).ceil()
        of_part[:, 0] = True  # A task whose first episodes are empty has some step, too.
        return self._only(of_part)._replace(order=None)

    def first_episodes(self, fraction: float) -> "StackedEpisodes":
        """Return the first episodes of each task, ``ceil(fraction K)`` of them; weights sum to 1 again.

        Episodes of a task are drawn alike, each by itself: the first are as good as any.
        """
        _, episode = self._time_and_episode()
        return self._only(episode < ceil(fraction * self.step_order.lengths.shape[1]))

    def _time_and_episode(self) -> tuple[Int[Tensor, "N M"], Int[Tensor, "N M"]]:
        places, episodes = self.step_order.places, self.step_order.lengths.shape[1]
        return places // episodes, places % episodes

    def _only(self, chosen: Bool[Tensor, "N M"]) -> "StackedEpisodes":
        """Return the real steps among the chosen ones; each task must have some."""
        part = self._compact((self.weights > 0) & chosen)
        return part._replace(weights=part.weights / part.weights.sum(1, keepdim=True))

    def _compact(self, kept: Bool[Tensor, "N M"]) -> "StackedEpisodes":
        """Return the steps that are kept; behind a task's last one, others have weight 0."""
        rows = chosen_first(kept)

        def take(x: Tensor) -> Tensor:
            if x.shape[1] != self.weights.shape[1]:  # What all states share.
                return x
            return rows_of(x, rows)

        order = self.order
        if order is not None:
            order = order._replace(rewards=take(order.rewards * kept), places=take(order.places))
        old = None if self.old is None else type(self.old)(*map(take, self.old))
        observations, actions, advantages = map(take, self[:3])
        return StackedEpisodes(observations, actions, advantages, take(self.weights * kept), old, order)

    def split(self, size: int) -> "Iterator[StackedEpisodes]":
        """Yield the tasks in groups of ``size``; the last may be smaller."""
        data = (torch.split(x, size) for x in self[:4])
        groups = [StackedEpisodes(*group) for group in zip(*data, strict=True)]
        for group, old, order in zip(groups, _split(self.old, size), _split(self.order, size), strict=False):
            yield group._replace(old=old, order=order)


def _split(tensors: Any, size: int) -> Iterator[Any]:
    """Yield a named tuple's tasks in groups of ``size``; None again and again if there is none."""
    if tensors is None:
        return repeat(None)
    return (type(tensors)(*group) for group in zip(*(torch.split(x, size) for x in tensors), strict=True))


def stack_data(
    data: EpisodeData, advantages: Float[Tensor, "N T K"], mean_over: MeanOver = "episodes"
) -> StackedEpisodes:
    """Merge time and episodes of tasks that were recorded side by side; what is padding alone is left out."""
    tasks, steps, episodes = data.rewards.shape
    order = None
    if data.reward_scale is not None:
        places = torch.arange(steps * episodes, device=data.rewards.device).expand(tasks, -1)
        order = StepOrder(data.rewards.flatten(1), places, data.lengths, data.reward_scale)
    stacked = StackedEpisodes(
        data.observations.flatten(1, 2).flatten(2),
        data.actions.flatten(1, 2),
        advantages.flatten(1),
        step_weights(data.lengths, steps, mean_over).flatten(1),
        order=order,
    )
    padded = bool((data.lengths < steps).any())
    return stacked._compact(stacked.weights > 0) if padded else stacked


def stack_episodes(episodes: Sequence[BatchEpisodes], device: torch.device | str = "cpu") -> StackedEpisodes:
    """Put tasks side by side on ``device``: only their real steps, zero-padded to the longest task."""

    def stack(tensors: Iterable[Tensor]) -> Tensor:
        steps = [x[mask] for x, mask in zip(tensors, masks, strict=True)]
        return nn.utils.rnn.pad_sequence(steps, batch_first=True).to(device)

    masks = [step_mask(batch.data.lengths, len(batch)) for batch in episodes]
    order, lengths = None, [batch.data.lengths for batch in episodes]
    scales = [batch.data.reward_scale for batch in episodes if batch.data.reward_scale is not None]
    if len(scales) == len(episodes):
        most = max(batch.batch_size for batch in episodes)
        order = StepOrder(
            stack(batch.rewards for batch in episodes),
            stack(_places(mask, most) for mask in masks),
            nn.utils.rnn.pad_sequence(lengths, batch_first=True).to(device),
            torch.stack(scales).to(device),
        )
    return StackedEpisodes(
        observations=stack(batch.observations.flatten(2) for batch in episodes),
        actions=stack(batch.actions for batch in episodes),
        advantages=stack(batch.advantages for batch in episodes),
        weights=stack(batch.weights for batch in episodes),
        order=order,
    )


def _places(mask: Bool[Tensor, "T K"], episodes: int) -> Int[Tensor, "T K"]:
    """Return the number of each step where ``episodes`` lie side by side."""
    time, episode = (torch.arange(size, device=mask.device) for size in mask.shape)
    return time[:, None] * episodes + episode
