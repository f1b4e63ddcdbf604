"""Statistics of all observations and returns of a run so far, and what theta holds of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl._system.threads import one_intra_op_thread
from maml_rl.advantages import step_mask
from maml_rl.baseline.features import scale_of
from maml_rl.episode import BatchEpisodes
from maml_rl.metalearners import MetaState
from maml_rl.parameters import Layout
from maml_rl.policies.normalized import OBSERVATION_MEAN, OBSERVATION_SCALE, REWARD_SCALE


class Moments(NamedTuple):
    """Moments of rows of numbers that came one batch after another; float64."""

    number: Float[Tensor, ""]
    mean: Float[Tensor, "O"]
    squares: Float[Tensor, "O"]
    """Sums of squared distances from the mean."""

    def with_rows(self, rows: Float[Tensor, "n O"]) -> "Moments":
        """Return the moments of those before and of ``rows`` (Chan, Golub & LeVeque 1979)."""
        number, mean = len(rows), rows.mean(0)
        total, shift = self.number + number, mean - self.mean
        between = shift.square() * self.number * number / total
        squares = self.squares + (rows - mean).square().sum(0) + between
        return Moments(total, self.mean + shift * number / total, squares)

    @property
    def scale(self) -> Float[Tensor, "O"]:
        """One over the standard deviation; 0 where nothing has varied."""
        return scale_of((self.squares / self.number).sqrt(), self.mean)


class Kind(ABC):
    """A kind of numbers whose moments are kept, ``name`` in the memory."""

    name: str
    scale: str
    """The part of theta that has as many numbers."""

    @abstractmethod
    def rows(self, batch: BatchEpisodes) -> Float[Tensor, "T K O"]:
        """Return the numbers at each step."""

    @abstractmethod
    def parts(self, moments: Moments) -> Mapping[str, Tensor]:
        """Return the parts of theta that follow from the moments."""

    def remembered(self, moments: Sequence[Tensor]) -> dict[str, Tensor]:
        """Return moments as they are named in the memory."""
        return {f"{self.name}.{field}": x for field, x in zip(Moments._fields, moments, strict=True)}

    def recall(self, memory: Mapping[str, Tensor]) -> Moments:
        """Return the moments in the memory."""
        return Moments(*(memory[f"{self.name}.{field}"].cpu() for field in Moments._fields))


class Observations(Kind):
    """Observations. One that has never varied is seen as 0."""

    name, scale = "observations", OBSERVATION_SCALE

    def rows(self, batch: BatchEpisodes) -> Float[Tensor, "T K O"]:
        """Return the observations."""
        return batch.observations.reshape(*batch.rewards.shape, -1)

    def parts(self, moments: Moments) -> Mapping[str, Tensor]:
        """Return mean and scale."""
        return {OBSERVATION_MEAN: moments.mean, OBSERVATION_SCALE: moments.scale}


class Returns(Kind):
    """Discounted returns from each step on. While they have not varied, rewards stay as they are."""

    name, scale = "returns", REWARD_SCALE

    def rows(self, batch: BatchEpisodes) -> Float[Tensor, "T K O"]:
        """Return the returns."""
        return batch.returns[..., None]

    def parts(self, moments: Moments) -> Mapping[str, Tensor]:
        """Return the scale of rewards."""
        scale = moments.scale
        return {REWARD_SCALE: torch.where(scale > 0, scale, 1.0)}


class RunningStatistics:
    """The moments of all observations and returns so far, of which theta holds some.

    They change once per meta-update, after it, by its episodes in the order of rounds and tasks. Where theta
    has no place for them, nothing is remembered.

    Args:
        layout: of theta.
    """

    def __init__(self, layout: Layout):
        self._layout = layout
        self._kinds = [kind for kind in (Observations(), Returns()) if kind.scale in layout.shapes]

    def init(self, state: MetaState) -> MetaState:
        """Return the state before the first update, with the memory of nothing."""
        memory = dict(state.memory)
        for kind in self._kinds:
            size = self._layout.shapes[kind.scale].numel()
            memory |= kind.remembered([torch.zeros(shape, dtype=torch.float64) for shape in ((), size, size)])
        return state._replace(memory=memory)

    def update(self, before: MetaState, after: MetaState, batches: Iterable[BatchEpisodes]) -> MetaState:
        """Return the state ``after`` a meta-update, with the statistics ``before`` it and of ``batches``."""
        if not self._kinds:
            return after
        moments = [kind.recall(before.memory) for kind in self._kinds]
        with one_intra_op_thread():
            for batch in batches:
                real = step_mask(batch.data.lengths, len(batch))
                rows = [kind.rows(batch)[real].double().cpu() for kind in self._kinds]
                moments = [old.with_rows(new) for old, new in zip(moments, rows, strict=True)]
        parts, memory = self._layout.view(after.theta), dict(after.memory)
        for kind, of_kind in zip(self._kinds, moments, strict=True):
            parts |= {name: x.to(after.theta) for name, x in kind.parts(of_kind).items()}
            memory |= kind.remembered(of_kind)
        return MetaState(self._layout.join(parts), memory)
