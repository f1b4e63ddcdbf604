"""Work with the futures that wait for it."""

import threading
from abc import ABC, abstractmethod
from concurrent.futures import Future

import torch

from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.samplers.plan import Arrays, Question, Reply, Sample, Work, WorkItem

Futures = list[list[EpisodesFuture]]
"""``[round][task]``: a round before each adaptation step, and the valid one after the last."""


class Stopwatch:
    """A sum of seconds that several threads add to."""

    def __init__(self) -> None:
        self.total = 0.0
        self._lock = threading.Lock()

    def add(self, seconds: float) -> None:
        """Add ``seconds``."""
        with self._lock:
            self.total += seconds


class Job(ABC):
    """Work for a worker, and what waits for its answers."""

    work: Work
    deaths = 0
    """Workers that have died on it so far."""

    @property
    def wanted(self) -> object | None:
        """The worker that should do it, as long as it is there; None for any."""
        return None

    @abstractmethod
    def taken(self, worker: object) -> None:
        """Take note of the worker that does it."""

    @abstractmethod
    def deliver(self, answer: Sample | Reply) -> None:
        """Resolve what waits for the answer."""

    @abstractmethod
    def fail(self, error: Exception) -> None:
        """Give ``error`` to what is still waiting."""


class ItemJob(Job):
    """A work item and the futures that wait for its episodes.

    Args:
        futures: of the item's tasks.
        device: where the episodes shall live.
        adapting: what the worker's adaptation took is added to it.
    """

    work: WorkItem

    def __init__(self, item: WorkItem, futures: Futures, device: torch.device | str, adapting: Stopwatch):
        self.work = item
        self.worker: object | None = None
        """The last one that took it."""
        self._futures, self._device, self._adapting = futures, device, adapting

    def taken(self, worker: object) -> None:
        """Take note of the worker, which may hold the episodes."""
        self.worker = worker

    def wait(self) -> None:
        """Wait until all episodes are sampled; raise what failed."""
        for futures in self._futures:
            for future in futures:
                future.result()

    def deliver(self, answer: Sample | Reply) -> None:
        """Resolve the futures of a sample. One that is resolved already keeps its (equal) episodes."""
        assert isinstance(answer, Sample)
        self._adapting.add(answer.seconds_adapting)
        episodes = answer.episodes(self.work.recipe.credit, self._device)
        for future, of_task in zip(self._futures[answer.round], episodes, strict=True):
            if not future.done():
                future.set_result(of_task)

    def fail(self, error: Exception) -> None:
        """Give ``error`` to the futures that are still waiting."""
        for future in (future for futures in self._futures for future in futures):
            if not future.done():
                future.set_exception(error)


class QuestionJob(Job):
    """A question, and the future of its answer.

    Args:
        sampled: the item's, whose worker holds the episodes.
    """

    def __init__(self, question: Question, sampled: ItemJob):
        self.work, self._sampled = question, sampled
        self.future: Future[tuple[Arrays, ...]] = Future()

    @property
    def wanted(self) -> object | None:
        """The worker that holds the episodes."""
        return self._sampled.worker

    def taken(self, worker: object) -> None:
        """Take note of the worker, which holds them from now on."""
        self._sampled.taken(worker)

    def deliver(self, answer: Sample | Reply) -> None:
        """Resolve the future. One that is resolved already, by a worker that died right after, stays."""
        assert isinstance(answer, Reply)
        if not self.future.done():
            self.future.set_result(answer.value)

    def fail(self, error: Exception) -> None:
        """Give ``error`` to the future."""
        if not self.future.done():
            self.future.set_exception(error)
