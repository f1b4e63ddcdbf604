"""What a worker holds of the items that it has sampled."""

from maml_rl.adaptation import Adaptation
from maml_rl.episode import BatchEpisodes
from maml_rl.samplers.plan import Holder, Question, WorkItem


class HeldItems:
    """The episodes of a batch's items, and what answers questions to them."""

    def __init__(self) -> None:
        self._batch = 0
        self._rounds: dict[int, list[list[BatchEpisodes]]] = {}
        self._holders: dict[int, tuple[int, Holder]] = {}

    def __contains__(self, item: WorkItem) -> bool:
        return item.held == self._batch and item.first_task in self._rounds

    def keep(self, item: WorkItem, rounds: list[list[BatchEpisodes]]) -> None:
        """Hold the episodes of an item; those of other batches are forgotten."""
        if item.held != self._batch:
            self._rounds.clear()
            self._holders.clear()
        self._batch = item.held
        self._rounds[item.first_task] = rounds

    def holder(self, question: Question, adaptation: Adaptation) -> Holder:
        """Return what answers a question to an item that is held."""
        item = question.item
        update, holder = self._holders.get(item.first_task, (-1, None))
        if holder is None or update != question.update:
            holder = question.hold(adaptation, item.theta, self._rounds[item.first_task])
            self._holders[item.first_task] = question.update, holder
        return holder
