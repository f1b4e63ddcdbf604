"""Work items with the futures that wait for them."""

import threading
from typing import Any

import torch
from numpy.typing import NDArray

from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.samplers.plan import Sample, WorkItem

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


class Job:
    """A work item and the futures that wait for it.

    Args:
        futures: of the item's tasks.
        device: where the episodes shall live.
        adapting: what the worker's adaptation took is added to it.
    """

    def __init__(self, item: WorkItem, futures: Futures, device: torch.device | str, adapting: Stopwatch):
        self.item = item
        self.deaths = 0
        """Workers that have died on it so far."""
        self._futures, self._device, self._adapting = futures, device, adapting

    def deliver(self, sample: Sample) -> None:
        """Resolve the futures of ``sample``. One that is resolved already keeps its (equal) episodes."""
        self._adapting.add(sample.seconds_adapting)
        credit = self.item.recipe.credit

        def by_task(array: NDArray[Any]) -> tuple[torch.Tensor, ...]:
            return torch.from_numpy(array).to(self._device).unbind()

        fields = {name: by_task(array) for name, array in sample.arrays.items()}
        extras = {name: by_task(array) for name, array in sample.extras.items()}
        advantages = by_task(sample.advantages)
        for n, future in enumerate(self._futures[sample.round]):
            if not future.done():
                data = EpisodeData(
                    **{name: tensors[n] for name, tensors in fields.items()},
                    extras={name: tensors[n] for name, tensors in extras.items()},
                )
                episodes = BatchEpisodes.from_data(
                    data, credit.gamma, advantages[n], mean_over=credit.mean_over
                )
                future.set_result(episodes)

    def fail(self, error: Exception) -> None:
        """Give ``error`` to the futures that are still waiting."""
        for future in (future for futures in self._futures for future in futures):
            if not future.done():
                future.set_exception(error)
