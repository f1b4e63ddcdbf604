"""Updates whose tasks stay with the workers that sampled them."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.adaptation import Adaptation
from maml_rl.config import Config
from maml_rl.episode import BatchEpisodes
from maml_rl.errors import UsageError
from maml_rl.metalearners import MetaLearner
from maml_rl.metalearners.tasks import Answer, HeldTasks, MakeChunk, MetaBatch, Tasks
from maml_rl.samplers import Sampler
from maml_rl.samplers.plan import Arrays


@dataclass(frozen=True)
class Hold:
    """Makes what answers questions to the episodes of an item; it travels to the worker."""

    make_chunk: MakeChunk
    tasks_per_item: int

    def __call__(
        self, adaptation: Adaptation, theta: NDArray[np.float32], rounds: list[list[BatchEpisodes]]
    ) -> "ItemHolder":
        """Return it."""
        batch = MetaBatch(self.make_chunk, adaptation, torch.from_numpy(theta), rounds, self.tasks_per_item)
        return ItemHolder(HeldTasks(batch.make(chunk.rounds) for chunk in batch.chunks()))


class ItemHolder:
    """Answers, for the tasks of an item, questions that came from elsewhere."""

    def __init__(self, tasks: HeldTasks):
        self._tasks = tasks

    def answer(self, question: str, arguments: Sequence[Any]) -> tuple[Arrays, ...]:
        """Return the fields of the `Answer` as arrays."""
        given = [torch.from_numpy(x) if isinstance(x, np.ndarray) else x for x in arguments]
        return tuple(tuple(x.numpy() for x in tensors) for tensors in self._tasks.ask(question, *given))


class RemoteTasks:
    """The tasks of a meta-batch, with the workers of a sampler that holds what it sampled last."""

    def __init__(self, sampler: Sampler, batch: MetaBatch, update: int):
        self._sampler, self._rounds, self._update = sampler, batch.rounds, update
        self._hold = Hold(batch.make_chunk, batch.tasks_per_item)
        self.seconds_waiting = 0.0

    def ask(self, question: str, *arguments: Any) -> Answer:
        """Return the answer of all tasks."""
        given = tuple(x.numpy() if isinstance(x, Tensor) else x for x in arguments)
        started = time.perf_counter()
        coming = self._sampler.ask(self._rounds, self._update, self._hold, question, given)
        self.seconds_waiting += time.perf_counter() - started
        answers = (future.result() for future in coming)
        tensors = ([tuple(map(torch.from_numpy, arrays)) for arrays in answer] for answer in answers)
        return Answer.added([Answer(*fields) for fields in tensors])


class WithWorkers:
    """`maml_rl.metalearners.tasks.Place`: with the workers of a sampler.

    Args:
        sampler: returns it, once it is there.
    """

    def __init__(self, sampler: Callable[[], Sampler]):
        self._sampler, self._numbers = sampler, count()

    @contextmanager
    def __call__(self, batch: MetaBatch) -> Iterator[Tasks]:
        """Yield the tasks that were sampled last."""
        yield RemoteTasks(self._sampler(), batch, next(self._numbers))


def check_remote(config: Config, method: type[MetaLearner]) -> None:
    """Check that updates need no more of the episodes than their tasks' answers.

    Raises:
        UsageError: they do.
    """
    if not method.asks_tasks:
        raise UsageError(
            f"--learner remote: updates of {config.metalearner} need all episodes in one place; "
            "leave it at local"
        )
    if config.normalize_observations:
        raise UsageError(
            "--learner remote: normalize-observations needs all episodes in one place; "
            "leave one of the two out"
        )
