"""Tasks side by side, as losses take them."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from maml_rl.advantages import step_mask, step_weights
from maml_rl.config import MeanOver
from maml_rl.episode import BatchEpisodes, EpisodeData


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

    @property
    def old_policy(self) -> Any:
        """The `ActionDistribution` that the actions were drawn from.

        Raises:
            ValueError: it is not known.
        """
        if self.old is None:
            raise ValueError("these episodes do not say which policy sampled them: set batch.old")
        return self.old

    def split(self, size: int) -> "Iterator[StackedEpisodes]":
        """Yield the tasks in groups of ``size``; the last may be smaller."""
        data = (torch.split(x, size) for x in self[:4])
        groups = [StackedEpisodes(*group) for group in zip(*data, strict=True)]
        if self.old is None:
            yield from groups
            return
        olds = zip(*(torch.split(x, size) for x in self.old), strict=True)
        for group, old in zip(groups, olds, strict=True):
            yield group._replace(old=type(self.old)(*old))


def stack_data(
    data: EpisodeData, advantages: Float[Tensor, "N T K"], mean_over: MeanOver = "episodes"
) -> StackedEpisodes:
    """Merge time and episodes of tasks that were recorded side by side."""
    return StackedEpisodes(
        data.observations.flatten(1, 2).flatten(2),
        data.actions.flatten(1, 2),
        advantages.flatten(1),
        step_weights(data.lengths, data.rewards.shape[-2], mean_over).flatten(1),
    )


def stack_episodes(episodes: Sequence[BatchEpisodes], device: torch.device | str = "cpu") -> StackedEpisodes:
    """Put tasks side by side on ``device``: only their real steps, zero-padded to the longest task."""

    def stack(tensors: Iterable[Tensor]) -> Tensor:
        steps = [x[mask] for x, mask in zip(tensors, masks, strict=True)]
        return nn.utils.rnn.pad_sequence(steps, batch_first=True).to(device)

    masks = [step_mask(batch.data.lengths, len(batch)) for batch in episodes]
    return StackedEpisodes(
        observations=stack(batch.observations.flatten(2) for batch in episodes),
        actions=stack(batch.actions for batch in episodes),
        advantages=stack(batch.advantages for batch in episodes),
        weights=stack(batch.weights for batch in episodes),
    )
