"""The pool, with workers that are stand-ins: what becomes of items while workers come late, or not at all."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from maml_rl.advantages import Credit
from maml_rl.errors import WorkerError
from maml_rl.samplers.answers import WorkerDiedError
from maml_rl.samplers.backends.pool import HEARTBEAT, Worker, WorkerPool
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.samplers.jobs import ItemJob, Stopwatch
from maml_rl.samplers.plan import Recipe, Reply, Sample, Work, WorkItem
from tests.waiting import PATIENCE, wait_until


class StandIn:
    """Does an item at once; may come late, die on its first item, or die before it is there."""

    def __init__(self, late: bool = False, deadly: bool = False, stillborn: bool = False):
        self.late, self.alive, self._deadly = late, not stillborn, deadly
        self.done: list[int] = []

    def ready(self, seconds: float) -> bool:
        if self.late or not self.alive:
            time.sleep(0.01)
        return self.alive and not self.late

    def run(self, work: Work) -> Iterator[Sample | Reply]:
        if self._deadly:
            raise WorkerDiedError("by intent")
        assert isinstance(work, WorkItem)
        self.done.append(work.first_task)
        return iter(())

    def stop(self) -> None:
        pass

    close = stop


def job(number: int) -> ItemJob:
    item = WorkItem(0, 0, number, [{}], np.zeros(1, np.float32), Recipe(1, (), Credit(1.0)))
    return ItemJob(item, [[EpisodesFuture()]], "cpu", Stopwatch())


def pool_of(workers: list[StandIn]) -> WorkerPool:
    """A pool that starts these workers, one after another."""
    coming = iter(workers)

    def start(_: threading.Event) -> Worker:
        return next(coming)

    return WorkerPool(start, 2)


def test_items_do_not_wait_for_a_worker_that_comes_late():
    late, ready = StandIn(late=True), StandIn()
    pool = pool_of([late, ready])
    for number in range(4):
        pool.submit(job(number))
    wait_until(lambda: ready.done == [0, 1, 2, 3])
    late.late, ready.late = False, True
    time.sleep(2 * HEARTBEAT)  # The one that was ready may be waiting for a job.
    pool.submit(job(4))
    wait_until(lambda: late.done == [4])
    pool.close()


def test_the_item_of_a_worker_that_died_is_done_by_another_while_its_successor_is_late():
    deadly, late, ready = StandIn(deadly=True), StandIn(late=True), StandIn()
    ready.late = True
    pool = pool_of([deadly, ready, late])
    pool.submit(job(7))
    wait_until(lambda: pool.restarts == 1)
    ready.late = False
    wait_until(lambda: ready.done == [7])
    assert late.done == []
    pool.close()


def test_workers_that_die_before_they_are_there_end_the_run():
    pool = pool_of(
        [StandIn(stillborn=True), StandIn(late=True), StandIn(stillborn=True), StandIn(stillborn=True)]
    )
    wait_until(lambda: pool._error is not None)
    future = EpisodesFuture()
    pool.submit(ItemJob(job(0).work, [[future]], "cpu", Stopwatch()))
    with pytest.raises(WorkerError, match="3 workers died one after another as they started"):
        future.result(timeout=PATIENCE)
    assert pool.restarts == 2
