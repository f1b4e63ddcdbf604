"""Episodes as they come, cut into chunks of tasks, and the threads that compute with them."""

import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import torch

from maml_rl._system.threads import one_intra_op_thread
from maml_rl.adaptation.base import CPU_CHUNK_STEPS
from maml_rl.episode import BatchEpisodes
from maml_rl.stacked import StackedEpisodes, stack_episodes

S = TypeVar("S")
T = TypeVar("T")


@runtime_checkable
class EpisodesFuture(Protocol):
    """Anything whose ``result()`` is episodes: our futures, `concurrent.futures`, resolved asyncio ones."""

    def result(self) -> BatchEpisodes:
        """Return the episodes, waiting for them if need be."""
        ...


Episodes = EpisodesFuture | BatchEpisodes
Rounds = Sequence[Sequence[Episodes]]
"""``[round][task]``: a round before each inner step, and the valid one."""
ParallelMap = Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]


class Chunk(NamedTuple):
    """The episodes of a few tasks."""

    item: int
    """The number of the work item whose tasks they are."""
    rounds: list[StackedEpisodes]


class Chunks:
    """The tasks of a meta-batch in order, a chunk as soon as its episodes are there.

    On a CPU a chunk is of one work item, and has at most `CPU_CHUNK_STEPS` steps (or one task); elsewhere it
    is the whole meta-batch.

    Args:
        device: where the chunks go.
        tasks_per_item: tasks of a work item.

    Raises:
        ValueError: there are no tasks, or a round has episodes of another number of them than the last one.
    """

    def __init__(self, rounds: Rounds, device: torch.device, tasks_per_item: int):
        *train, valid = rounds
        if not valid:
            raise ValueError("no tasks: an update needs episodes of at least one")
        for step, episodes in enumerate(train):
            if len(episodes) != len(valid):
                raise ValueError(
                    f"train episodes of step {step} are of {len(episodes)} tasks, valid ones of {len(valid)}"
                )
        self._rounds, self._device = rounds, device
        on_cpu = device.type == "cpu"
        self._most_tasks = tasks_per_item if on_cpu else len(valid)
        self._most_steps = CPU_CHUNK_STEPS if on_cpu else math.inf
        self.seconds_waiting = 0.0
        """Seconds that episodes were waited for."""

    def __iter__(self) -> Iterator[Chunk]:
        pending: list[list[BatchEpisodes]] = []
        steps = 0
        for number, of_task in enumerate(zip(*self._rounds, strict=True)):
            asked = time.perf_counter()
            episodes = [resolved(future) for future in of_task]
            self.seconds_waiting += time.perf_counter() - asked
            item = number // self._most_tasks
            size = max(batch.num_steps for batch in episodes)
            if pending and steps + size > self._most_steps:
                yield Chunk(item, self._stack(pending))
                pending, steps = [], 0
            pending.append(episodes)
            steps += size
            if number + 1 in (len(self._rounds[-1]), (item + 1) * self._most_tasks):
                yield Chunk(item, self._stack(pending))
                pending, steps = [], 0

    def _stack(self, tasks: list[list[BatchEpisodes]]) -> list[StackedEpisodes]:
        return [stack_episodes(batches, self._device) for batches in zip(*tasks, strict=True)]


@contextmanager
def chunk_threads() -> Iterator[Callable[[Callable[[S], T], Iterable[S]], list[T]]]:
    """Open as many threads as torch was using, and yield a ``map(function, items)`` over them.

    Each computes with one intra-op thread: a thread per chunk is faster than many threads in one
    matrix product of this size. Work starts as items come; the answers keep the items' order.
    """
    with (
        one_intra_op_thread() as threads,
        ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as executor,
    ):

        def parallel_map(function: Callable[[S], T], items: Iterable[S]) -> list[T]:
            futures = [executor.submit(function, item) for item in items]
            return [future.result() for future in futures]

        yield parallel_map


def wait_for(rounds: Rounds) -> tuple[list[list[BatchEpisodes]], float]:
    """Return all episodes, and the seconds that they were waited for."""
    asked = time.perf_counter()
    found = [[resolved(episodes) for episodes in of_round] for of_round in rounds]
    return found, time.perf_counter() - asked


def resolved(episodes: Episodes) -> BatchEpisodes:
    """Return the episodes, waiting for them if need be."""
    return episodes if isinstance(episodes, BatchEpisodes) else episodes.result()
