"""Work items, questions and samples: the plain data that travels between sampler and workers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.adaptation import Adaptation
from maml_rl.advantages import Credit, step_mask
from maml_rl.config import Config
from maml_rl.envs import Task
from maml_rl.episode import SUCCESS, BatchEpisodes, EpisodeData
from maml_rl.samplers.packing import packed, unpacked

STAY = ("observations", "actions", "last_observations", "advantages")
"""The arrays of a sample that do not travel where the worker holds the episodes."""
OVER_TIME = ("observations", "actions", "rewards", "advantages")
"""The arrays of a sample that are ``[N, T, K, ...]``; the others have no T."""
Arrays: TypeAlias = tuple[NDArray[Any], ...]


@dataclass(frozen=True)
class Recipe:
    """A recipe for sampling a task and adapting to it.

    Args:
        episodes: per task and round, K.
        scales: one per adaptation step: its length over the usual one.
        credit: how advantages follow from rewards.
    """

    episodes: int
    scales: tuple[float, ...]
    credit: Credit

    @classmethod
    def of(cls, config: Config, scales: Sequence[float] | None = None) -> "Recipe":
        """Return the recipe of a config.

        Args:
            scales: in place of as many steps of the usual length as the config has.
        """
        usual = (1.0,) * config.num_steps
        credit = Credit(
            config.gamma,
            config.gae_lambda,
            config.bootstrap_truncated,
            config.mean_over,
            config.normalize_advantages,
        )
        return cls(config.fast_batch_size, usual if scales is None else tuple(scales), credit)


@dataclass(frozen=True)
class WorkItem:
    """Everything that the episodes of a few tasks depend on: any worker makes the same of it.

    Args:
        seed, iteration, first_task: the path of the random streams; tasks count from ``first_task``.
        theta: the meta-parameters, ``[P]`` float32.
        held: number of the batch whose episodes stay with the worker, which tells what came of them; 0 if
            they travel.
    """

    seed: int
    iteration: int
    first_task: int
    tasks: Sequence[Task]
    theta: NDArray[np.float32]
    recipe: Recipe
    held: int = 0

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """What is large, and the same in many items."""
        return [self.theta]

    def with_arrays(self, arrays: Sequence[NDArray[Any]]) -> "WorkItem":
        """Return the item with these in their place."""
        (theta,) = arrays
        return replace(self, theta=theta)


@runtime_checkable
class Holder(Protocol):
    """Answers questions to the episodes of an item."""

    def answer(self, question: str, arguments: Sequence[Any]) -> tuple[Arrays, ...]:
        """Return the answer; arguments are arrays and numbers."""
        ...


Hold: TypeAlias = Callable[[Adaptation, NDArray[np.float32], list[list[BatchEpisodes]]], Holder]
"""Makes what answers, of how tasks adapt, theta, and the rounds' episodes."""


@dataclass(frozen=True)
class Question:
    """A question to the episodes that the worker of an item holds.

    Args:
        item: a worker that does not hold it samples it again, to the same bits.
        update: a number for all questions that the same ``hold`` answers.
    """

    item: WorkItem
    update: int
    hold: Hold
    name: str
    arguments: tuple[Any, ...]

    @property
    def tasks(self) -> Sequence[Task]:
        """Those of the item."""
        return self.item.tasks

    @property
    def arrays(self) -> list[NDArray[Any]]:
        """What is large, and the same in many questions."""
        own = [argument for argument in self.arguments if isinstance(argument, np.ndarray)]
        return [*self.item.arrays, *own]

    def with_arrays(self, arrays: Sequence[NDArray[Any]]) -> "Question":
        """Return the question with these in their place."""
        theta, *own = arrays
        coming = iter(own)
        arguments = tuple(next(coming) if isinstance(x, np.ndarray) else x for x in self.arguments)
        return replace(self, item=self.item.with_arrays([theta]), arguments=arguments)


Work: TypeAlias = WorkItem | Question
"""What a worker does."""


class Reply(NamedTuple):
    """The answer to a question: vectors, and numbers of each task."""

    value: tuple[Arrays, ...]

    def owned(self) -> "Reply":
        """Return the reply with arrays of its own."""
        return Reply(tuple(tuple(array.copy() for array in arrays) for arrays in self.value))


class Elsewhere(NamedTuple):
    """Stands for an array that stays with the worker."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


class Sample(NamedTuple):
    """The episodes of a round, of all tasks of an item."""

    round: int
    """Number of adaptation steps that came before."""
    arrays: Mapping[str, NDArray[Any] | Elsewhere]
    """The fields of `EpisodeData` that are known, and ``advantages`` if so; ``[N, ...]`` each."""
    extras: Mapping[str, NDArray[Any]]
    """The arrays of `EpisodeData.extras`."""
    seconds_adapting: float
    """Spent on the adaptation step that came before these episodes."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel without what pads short episodes, which may be most of it."""
        at_hand = isinstance(self.arrays.get("observations"), np.ndarray)
        if not at_hand or self._real().all():
            return Sample, tuple(self)
        return _unpacked, tuple(self._over_time(packed))

    def _over_time(self, function: Callable[[Any, NDArray[np.bool_]], NDArray[Any]]) -> "Sample":
        """Return the sample with what the function makes of arrays over time and of where steps are real."""
        real = self._real()
        arrays = {name: function(x, real) if name in OVER_TIME else x for name, x in self.arrays.items()}
        return self._replace(
            arrays=arrays, extras={name: function(x, real) for name, x in self.extras.items()}
        )

    def _real(self) -> NDArray[np.bool_]:
        """Return true at the steps that episodes really have, ``[N, T, K]``."""
        lengths: Any = self.arrays["lengths"]
        return step_mask(torch.from_numpy(lengths), int(lengths.max())).numpy()

    def told(self) -> "Sample":
        """Return what came of the episodes, without what happened in them."""
        arrays = {name: Elsewhere(x.shape, x.dtype) if name in STAY else x for name, x in self.arrays.items()}
        extras = {name: x for name, x in self.extras.items() if name == SUCCESS}
        return self._replace(arrays=arrays, extras=extras)

    def owned(self) -> "Sample":
        """Return the sample with arrays of its own."""
        arrays = {name: x if isinstance(x, Elsewhere) else x.copy() for name, x in self.arrays.items()}
        return self._replace(arrays=arrays, extras={name: x.copy() for name, x in self.extras.items()})

    def episodes(self, credit: Credit, device: torch.device | str = "cpu") -> list[BatchEpisodes]:
        """Return each task's episodes. Tensors of what is elsewhere are on the device ``meta``: all shape."""
        fields = {name: _tensor(x, device).unbind() for name, x in self.arrays.items()}
        extras = {name: _tensor(x, device).unbind() for name, x in self.extras.items()}
        number = len(fields["lengths"])
        advantages = fields.pop("advantages", (None,) * number)
        return [
            BatchEpisodes.from_data(
                EpisodeData(
                    **{name: tensors[n] for name, tensors in fields.items()},
                    extras={name: tensors[n] for name, tensors in extras.items()},
                ),
                credit.gamma,
                advantages[n],
                mean_over=credit.mean_over,
            )
            for n in range(number)
        ]


def _unpacked(*fields: Any) -> Sample:
    return Sample(*fields)._over_time(unpacked)


def _tensor(array: NDArray[Any] | Elsewhere, device: torch.device | str) -> Tensor:
    if isinstance(array, Elsewhere):
        like = torch.from_numpy(np.empty(0, array.dtype))
        return like.new_empty(array.shape, device="meta")
    return torch.from_numpy(array).to(device)
