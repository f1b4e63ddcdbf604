"""Questions to the tasks of a meta-batch, wherever they are, and what their answers add up to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple, Protocol, TypeAlias, runtime_checkable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from maml_rl.adaptation import Adaptation
from maml_rl.errors import check_finite
from maml_rl.metalearners.chunks import Chunks, ParallelMap, Rounds, chunk_threads
from maml_rl.stacked import StackedEpisodes

MakeChunk: TypeAlias = Callable[[Adaptation, Float[Tensor, "P"], Sequence[StackedEpisodes]], Any]
"""Makes N tasks that answer questions, of how they adapt, the old theta, and their rounds' episodes.

A question is the name of a method, which returns a tensor or several: ``[N, P]`` or ``[N]``, by task.
"""


class Answer(NamedTuple):
    """The answer of some tasks: vectors summed over them in order, and numbers of each."""

    sums: tuple[Float[Tensor, "P"], ...]
    """In float64."""
    finite: tuple[Bool[Tensor, "N"], ...]
    """Of each vector, whether the task's own was finite."""
    numbers: tuple[Float[Tensor, "N"], ...]

    @classmethod
    def of(cls, chunk: Any, question: str, arguments: Sequence[Any]) -> "Answer":
        """Return the answer of a chunk."""
        found = getattr(chunk, question)(*arguments)
        tensors = found if isinstance(found, tuple) else (found,)
        vectors = [tensor for tensor in tensors if tensor.dim() > 1]
        return cls(
            tuple(vector.double().sum(0) for vector in vectors),
            tuple(vector.isfinite().all(1) for vector in vectors),
            tuple(tensor for tensor in tensors if tensor.dim() == 1),
        )

    @classmethod
    def added(cls, answers: Sequence["Answer"]) -> "Answer":
        """Return the answer of all tasks together; sums are added one after another."""
        sums, finite, numbers = (zip(*parts, strict=True) for parts in zip(*answers, strict=True))
        return cls(
            tuple(sum(parts[1:], start=parts[0]) for parts in sums),
            tuple(torch.cat(parts) for parts in finite),
            tuple(torch.cat(parts) for parts in numbers),
        )

    def mean(self, name: str, hint: str) -> Float[Tensor, "P"]:
        """Return the mean of the first vector over tasks.

        Args:
            name: of the vectors, in the plural.
            hint: what to do if they are not finite.

        Raises:
            FloatingPointError: some are NaN or infinite; the message names the tasks.
        """
        finite = self.finite[0]
        check_finite(name, torch.where(finite, 0.0, torch.nan), hint=hint)
        return self.sums[0] / len(finite)


@runtime_checkable
class Tasks(Protocol):
    """The tasks of a meta-batch, that answer together."""

    @property
    def seconds_waiting(self) -> float:
        """Seconds that episodes were waited for."""
        ...

    def ask(self, question: str, *arguments: Any) -> Answer:
        """Return the answer of all tasks.

        Args:
            question: see `MakeChunk`.
            arguments: tensors and numbers.
        """
        ...


@dataclass(frozen=True)
class MetaBatch:
    """The tasks of an update before their first question.

    Args:
        rounds: ``[round][task]``, sampled from theta.
        tasks_per_item: tasks whose answers are added first, so that it does not matter who gives them.
    """

    make_chunk: MakeChunk
    adaptation: Adaptation
    theta: Float[Tensor, "P"]
    rounds: Rounds
    tasks_per_item: int

    def chunks(self) -> Chunks:
        """Return the episodes, a chunk as soon as it has come."""
        return Chunks(self.rounds, self.theta.device, self.tasks_per_item)

    def make(self, batches: Sequence[StackedEpisodes]) -> Any:
        """Return a chunk that answers."""
        return self.make_chunk(self.adaptation, self.theta, batches)


Place: TypeAlias = Callable[[MetaBatch], AbstractContextManager[Tasks]]
"""Where the tasks of updates are."""


class HeldTasks:
    """The tasks of a work item where their episodes are, in one thread.

    Args:
        chunks: of them, in order.
    """

    seconds_waiting = 0.0

    def __init__(self, chunks: Iterable[Any]):
        self._chunks = list(chunks)

    def ask(self, question: str, *arguments: Any) -> Answer:
        """Return the answer of all of them."""
        return Answer.added([Answer.of(chunk, question, arguments) for chunk in self._chunks])


@contextmanager
def here(batch: MetaBatch) -> Iterator[Tasks]:
    """Have the tasks in this process, a thread for each chunk of them."""
    with chunk_threads() as parallel_map:
        yield _TasksHere(batch, parallel_map)


class _TasksHere:
    def __init__(self, batch: MetaBatch, parallel_map: ParallelMap):
        self._map, self._coming = parallel_map, batch.chunks()
        self._chunks: Iterable[tuple[int, Any]] = (
            (item, batch.make(batches)) for item, batches in self._coming
        )

    @property
    def seconds_waiting(self) -> float:
        return self._coming.seconds_waiting

    def ask(self, question: str, *arguments: Any) -> Answer:
        def answered(numbered: tuple[int, Any]) -> tuple[tuple[int, Any], Answer]:
            return numbered, Answer.of(numbered[1], question, arguments)

        both = self._map(answered, self._chunks)
        self._chunks = [numbered for numbered, _ in both]
        items = groupby(both, key=lambda pair: pair[0][0])
        return Answer.added([Answer.added([answer for _, answer in of_item]) for _, of_item in items])
