"""Futures: asked for early, waited for anywhere, and what becomes of them when the sampler closes."""

import asyncio
import concurrent.futures
import gc
import time
import weakref
from collections.abc import Iterator
from concurrent.futures import Future
from functools import partial

import psutil
import pytest

from maml_rl.episode import BatchEpisodes
from maml_rl.samplers.backends.pool import HEARTBEAT
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.samplers.worker_process import WorkerProcess
from tests.samplers.helpers import (
    assert_gone,
    fragile_registered,
    identical,
    make_sampler,
    pool_of,
    sample,
    workers_of,
)

with_or_without_workers = pytest.mark.parametrize("num_workers", [0, 2])


@pytest.fixture
def fragile() -> Iterator[str]:
    with fragile_registered() as name:
        yield name


@with_or_without_workers
def test_two_calls_before_waiting(backend: str, num_workers: int):
    with make_sampler(num_workers, backend=backend) as sampler:
        tasks = [sampler.sample_tasks(5), sampler.sample_tasks(3)]
        futures = [sampler.sample_async(each) for each in tasks]
        second, first = sampler.sample_wait(futures[1]), sampler.sample_wait(futures[0])
    with make_sampler() as sampler:
        assert identical(first, sampler.sample(tasks[0]))
        assert identical(second, sampler.sample(tasks[1]))


@with_or_without_workers
def test_waiting_twice_gives_the_same_episodes(num_workers: int):
    with make_sampler(num_workers) as sampler:
        futures = sampler.sample_async(sampler.sample_tasks(2))
        (first,), _ = sampler.sample_wait(futures)
        (second,), _ = sampler.sample_wait(futures)
    assert all(a is b for a, b in zip(first, second, strict=True))


def test_sampling_goes_on_while_the_caller_does_something_else(backend: str, fragile: str):
    with make_sampler(1, fragile, {"step_seconds": 0.02}, backend=backend) as sampler:
        train, valid = sampler.sample_async(sampler.sample_tasks(1))
        assert not valid[0].done()
        deadline = time.monotonic() + 60
        while not valid[0].done():  # Nobody asks for the result.
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert train[0][0].done()


def test_train_episodes_come_before_valid_ones(backend: str, fragile: str):
    arrived = []

    def note(name: str, future: Future[BatchEpisodes]) -> None:
        arrived.append(name)

    with make_sampler(1, fragile, {"step_seconds": 0.01}, backend=backend) as sampler:
        train, valid = sampler.sample_async(sampler.sample_tasks(2), num_steps=2)
        for name, futures in {"valid": valid, "step 1": train[1], "step 0": train[0]}.items():
            for future in futures:
                future.add_done_callback(partial(note, name))
        sampler.sample_wait((train, valid))
    assert arrived == ["step 0", "step 0", "step 1", "step 1", "valid", "valid"]


@with_or_without_workers
def test_futures_can_be_awaited_in_any_event_loop(backend: str, num_workers: int):
    async def waits() -> tuple[list[BatchEpisodes], list[BatchEpisodes]]:
        train, valid = sampler.sample_async(tasks)
        first = [await future for future in train[0]]
        return first, list(await asyncio.gather(*valid))

    with make_sampler(num_workers, backend=backend) as sampler:
        tasks = sampler.sample_tasks(3)
        train, valid = asyncio.run(waits())
        again, _ = asyncio.run(waits())
    with make_sampler() as sampler:
        assert identical(([train], valid), sampler.sample(tasks))
        assert identical(([again], []), (sampler.sample(tasks)[0], []))


def test_an_awaited_future_leaves_the_event_loop_free(fragile: str):
    async def count_while_waiting() -> int:
        _, valid = sampler.sample_async(sampler.sample_tasks(1))
        turns = 0
        waiting = asyncio.ensure_future(valid[0])
        while not waiting.done():
            turns += 1
            await asyncio.sleep(0.001)
        return turns

    with make_sampler(1, fragile, {"step_seconds": 0.02}) as sampler:
        assert asyncio.run(count_while_waiting()) > 10


def test_an_awaited_future_raises_what_the_worker_raised(fragile: str):
    async def wait() -> None:
        _, valid = sampler.sample_async(sampler.sample_tasks(1))
        await valid[0]

    sampler = make_sampler(1, fragile, {"fail_in": "step"})
    with sampler, pytest.raises(RuntimeError, match="it broke in its step"):
        asyncio.run(wait())


@with_or_without_workers
def test_futures_work_with_concurrent_futures(num_workers: int):
    with make_sampler(num_workers) as sampler:
        train, valid = sampler.sample_async(sampler.sample_tasks(4))
        done, pending = concurrent.futures.wait([*train[0], *valid], timeout=60)
        assert len(done) == 8
        assert not pending
        assert all(isinstance(future, EpisodesFuture) for future in done)
        assert {id(f) for f in concurrent.futures.as_completed(valid, timeout=60)} == {id(f) for f in valid}


def test_a_cancelled_future_does_not_hinder_the_others(backend: str, fragile: str):
    with make_sampler(1, fragile, {"step_seconds": 0.01}, backend=backend) as sampler:
        train, valid = sampler.sample_async(sampler.sample_tasks(2))
        assert valid[0].cancel()
        assert valid[1].result(timeout=60).lengths == [8] * 3
        assert train[0][0].result(timeout=60).lengths == [8] * 3
        assert valid[0].cancelled()


@with_or_without_workers
def test_a_closed_sampler_says_so(num_workers: int):
    sampler = make_sampler(num_workers)
    tasks = sampler.sample_tasks(2)
    sampler.close()
    for call in (sampler.sample_async, sampler.sample):
        with pytest.raises(RuntimeError, match="this sampler is closed"):
            call(tasks)


@with_or_without_workers
def test_closing_twice_does_nothing(num_workers: int):
    sampler = make_sampler(num_workers)
    sample(sampler)
    sampler.close()
    sampler.close()
    with sampler:
        pass


def test_closing_ends_the_processes(backend: str):
    with make_sampler(2, backend=backend) as sampler:
        processes = workers_of(sampler)
        assert len({process.pid for process in processes}) == 2
        sample(sampler)
        assert all(process.is_running() for process in processes)
    assert_gone(processes)


def test_closing_leaves_nothing_to_the_garbage_collector(monkeypatch: pytest.MonkeyPatch):
    """However long it takes: two files a worker stay open for as long as the worker is referred to."""
    close = WorkerProcess.close

    def close_slowly(worker: WorkerProcess) -> None:
        close(worker)
        time.sleep(3 * HEARTBEAT)

    monkeypatch.setattr(WorkerProcess, "close", close_slowly)
    sampler = make_sampler(1)
    sample(sampler)
    worker = weakref.ref(pool_of(sampler)._workers[0])
    gc.collect()
    gc.disable()
    try:
        sampler.close()
        del sampler
        assert worker() is None
    finally:
        gc.enable()


def test_an_exception_in_a_with_block_ends_the_processes(backend: str):
    def fail_inside() -> None:
        with make_sampler(1, backend=backend) as sampler:
            processes.extend(workers_of(sampler))
            raise KeyError("mine")

    processes: list[psutil.Process] = []
    with pytest.raises(KeyError, match="mine"):
        fail_inside()
    assert_gone(processes)


def test_closing_while_workers_work_fails_what_is_not_done(backend: str, fragile: str):
    sampler = make_sampler(2, fragile, {"step_seconds": 0.2}, tasks_per_item=1, backend=backend)
    processes = workers_of(sampler)
    train, valid = sampler.sample_async(sampler.sample_tasks(5))
    sampler.close()
    for future in (*train[0], *valid):
        with pytest.raises(RuntimeError, match="closed before these episodes came"):
            future.result(timeout=60)
    assert_gone(processes)


def test_a_sampler_that_nobody_refers_to_any_more_ends_its_processes(backend: str):
    sampler = make_sampler(1, backend=backend)
    sample(sampler)
    processes = workers_of(sampler)
    del sampler
    assert_gone(processes)


def test_only_an_environment_of_its_own_is_closed():
    with make_sampler() as sampler:
        ours = sampler.env
        closed = []
        ours.unwrapped.close = lambda: closed.append("ours")  # type: ignore[method-assign]
    assert closed == []
