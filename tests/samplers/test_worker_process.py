"""The pipe to a worker process, with stand-ins for what is at its other end."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import psutil
import pytest

from maml_rl.advantages import Credit
from maml_rl.samplers.answers import WorkerDiedError
from maml_rl.samplers.plan import Recipe, Sample, WorkItem
from maml_rl.samplers.worker_process import WorkerProcess
from tests.samplers.helpers import assert_gone

PATIENCE = 60
"""Seconds to wait for what takes one or two on a quiet machine, and never comes if it hangs."""

A_LOT = 2**22
"""Bytes: more than a pipe holds."""


def item(theta: int = 1, **task: Any) -> WorkItem:
    return WorkItem(0, 0, 0, [task], np.zeros(theta, np.float32), Recipe(1, (), Credit(1.0)))


class Obedient:
    """Does what the task says, and answers with the number that comes of it."""

    def do(self, work: WorkItem) -> Iterator[Sample]:
        yield Sample(0, {}, {}, work.tasks[0]["do"]())


class Talkative:
    """Is in the middle of an answer as soon as it has an item."""

    def do(self, work: WorkItem) -> Iterator[bytes]:
        yield b"the first"
        yield bytes(A_LOT)


def hanging() -> Any:
    """Never gets as far as to read an item."""
    time.sleep(PATIENCE)


@pytest.mark.parametrize("place", ["idle", "in an answer", "before an item"])
def test_a_worker_whose_caller_is_gone_ends_quietly(place: str):
    """Multiprocessing prints an exception that leaves a process, and gives it another exit code."""
    worker = WorkerProcess(Talkative, timeout=1.0)  # type: ignore[arg-type]
    if place != "idle":
        worker._connection.send(cloudpickle.dumps(item()))
    if place == "in an answer":
        assert worker._connection.poll(PATIENCE)
    worker._connection.close()
    worker._process.join(PATIENCE)
    assert worker._process.exitcode == 0


def test_tasks_may_hold_what_only_the_caller_has():
    """Pickle alone would look for the function where the worker cannot find it."""
    worker = WorkerProcess(Obedient, timeout=60.0)  # type: ignore[arg-type]
    assert list(worker.run(item(do=lambda: 0.25))) == [Sample(0, {}, {}, 0.25)]
    worker.close()


def test_a_worker_that_does_not_read_its_item_counts_as_dead():
    worker = WorkerProcess(hanging, timeout=0.5)
    with pytest.raises(WorkerDiedError, match=r"no answer for 0\.5 s"):
        list(worker.run(item(theta=A_LOT)))
    worker.close()


@pytest.mark.parametrize("timeout", [float("inf"), 1e12])
def test_a_timeout_may_be_as_long_as_one_likes(timeout: float):
    worker = WorkerProcess(Obedient, timeout)  # type: ignore[arg-type]
    assert len(list(worker.run(item(do=lambda: 0.0)))) == 1
    worker.close()


class Tidy(Obedient):
    """Takes its time to close."""

    def close(self) -> None:
        time.sleep(0.2)
        self.marker.touch()

    def do(self, work: WorkItem) -> Iterator[Sample]:
        self.marker = work.tasks[0]["marker"]
        yield from super().do(work)


def test_an_idle_worker_closes_its_environments(tmp_path: Path):
    worker = WorkerProcess(Tidy, timeout=60.0)  # type: ignore[arg-type]
    assert len(list(worker.run(item(do=lambda: 0.0, marker=tmp_path / "closed")))) == 1
    worker.close()
    assert (tmp_path / "closed").exists()
    assert worker._process.exitcode == 0
    worker.close()  # A second time nothing happens.


@pytest.mark.parametrize("busy", [True, False])
def test_a_worker_that_does_not_end_is_ended(busy: bool):
    """It works on an item, or is still being made."""
    worker = WorkerProcess(Obedient if busy else hanging, timeout=60.0)  # type: ignore[arg-type]
    if busy:
        thread = threading.Thread(target=run_in_vain, args=(worker, item(do=sleeping)))
        thread.start()
        time.sleep(0.2)
    process = psutil.Process(worker._process.pid)
    begun = time.monotonic()
    worker.stop()
    if busy:
        thread.join(PATIENCE)
        assert not thread.is_alive()
    worker.close()
    assert time.monotonic() - begun < PATIENCE / 2
    assert_gone([process])


def sleeping() -> float:
    time.sleep(PATIENCE)
    return 0.0


def run_in_vain(worker: WorkerProcess, item: WorkItem) -> None:
    with pytest.raises(WorkerDiedError, match="exit code -9"):
        list(worker.run(item))
