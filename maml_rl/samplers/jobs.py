"""Work items with the futures that wait for them."""

import threading

import torch

from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.samplers.worker import Sample, WorkItem

Futures = tuple[list[list[EpisodesFuture]], list[EpisodesFuture]]
"""``train[step][task]`` and ``valid[task]``."""


class Tally:
    """A sum that several threads add to."""

    def __init__(self) -> None:
        self.total = 0.0
        self._lock = threading.Lock()

    def add(self, amount: float) -> None:
        """Add ``amount``."""
        with self._lock:
            self.total += amount


class Job:
    """A work item and the futures that wait for it.

    Args:
        device: where the episodes shall live.
        seconds_adapting: what the worker's inner steps took is added to it.
    """

    def __init__(self, item: WorkItem, futures: Futures, device: torch.device | str, seconds_adapting: Tally):
        self.item = item
        self._train, self._valid = futures
        self._device = device
        self._seconds_adapting = seconds_adapting

    def deliver(self, sample: Sample) -> None:
        """Resolve the futures of ``sample``. One that is resolved already keeps its (equal) episodes."""
        self._seconds_adapting.add(sample.seconds_adapting)
        futures = self._valid if sample.step is None else self._train[sample.step]
        settings = self.item.settings
        recorded = [*sample.arrays, sample.advantages]
        tasks = zip(*(torch.from_numpy(array).to(self._device).unbind() for array in recorded), strict=True)
        for future, (*data, advantages) in zip(futures, tasks, strict=True):
            if not future.done():
                episodes = BatchEpisodes.from_data(
                    EpisodeData(*data), settings.gamma, advantages, mean_over=settings.mean_over
                )
                future.set_result(episodes)

    def fail(self, error: Exception) -> None:
        """Give ``error`` to the futures that are still waiting."""
        for future in (*(f for step in self._train for f in step), *self._valid):
            if not future.done():
                future.set_exception(error)
