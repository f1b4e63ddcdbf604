import threading
from types import SimpleNamespace
from typing import Any

from maml_rl.samplers.backends.task_queue import TaskQueue


def job(wanted: object = None) -> Any:
    return SimpleNamespace(wanted=wanted)


def test_jobs_come_in_order_and_go_to_whom_they_are_for():
    queue = TaskQueue(["a", "b"])
    first, of_a, of_b, last = job(), job("a"), job("b"), job()
    for each in (of_b, first, of_a, last):
        queue.put(each)
    assert [queue.get("a", 0.0) for _ in range(4)] == [first, of_a, last, None]
    assert queue.get("b", 0.0) is of_b


def test_any_worker_does_what_a_worker_that_is_gone_was_wanted_for():
    there = {"a", "b"}
    queue = TaskQueue(there)
    lost = job("b")
    queue.put(lost)
    assert queue.get("a", 0.0) is None
    there.remove("b")
    assert queue.get("a", 0.0) is lost


def test_a_waiting_worker_is_woken_by_its_job_and_by_the_end():
    queue = TaskQueue(["a", "b"])
    got: list[Any] = []
    mine = job("a")
    for what in (lambda: queue.put(mine), queue.close):
        thread = threading.Thread(target=lambda: got.append(queue.get("a", 60.0)))
        thread.start()
        what()
        thread.join(30.0)
    assert got == [mine, None]


def test_a_closed_queue_gives_back_what_is_left():
    queue = TaskQueue(["a", "b"])
    left = [job(), job("a")]
    for each in left:
        queue.put(each)
    assert queue.close() == left
    assert queue.get("a", 0.0) is None
