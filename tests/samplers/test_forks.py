"""Samplers and processes of the user's own: forks, pools, daemons, threads, environments that start some."""

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import gymnasium as gym
import pytest

from tests.envs.creating import register
from tests.samplers.helpers import (
    Samples,
    assert_gone,
    identical,
    make_sampler,
    pool_of,
    process_id,
    sample,
    workers_of,
)

PATIENCE = 60
"""Seconds to wait for what takes one or two on a quiet machine, and never comes if it hangs."""

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]


def in_a_fork(function: Callable[[], object]) -> int:
    """Call a function in a fork of this process; return the exit code, 0 if it returned True."""
    child = os.fork()
    if child == 0:
        signal.alarm(PATIENCE)  # Which ends it should it hang.
        try:
            os._exit(0 if function() is True else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize("end", ["close", "finaliser", "garbage collection"])
def test_a_fork_leaves_the_workers_to_its_parent(end: str):
    box = [make_sampler(1)]
    sampler = box[0]
    first = sample(sampler)
    workers = [process_id(worker) for worker in pool_of(sampler)._workers]

    def ends() -> bool:
        if end == "close":
            box[0].close()
        elif end == "finaliser":
            backend: Any = box[0]._sampler._backend
            assert isinstance(backend._finalizer(), type(None))
        else:
            nonlocal sampler
            del sampler
            box.clear()
            gc.collect()
        return True

    assert in_a_fork(ends) == 0
    second = sample(sampler)
    assert [process_id(worker) for worker in pool_of(sampler)._workers] == workers
    assert sampler.restarts == 0
    sampler.close()
    with make_sampler(0) as other:
        assert identical(first, sample(other))
        assert identical(second, sample(other))


def test_a_sampler_of_the_parent_refuses_in_one_line():
    with make_sampler(1) as sampler:
        tasks = sampler.sample_tasks(2)

        def refuses() -> bool:
            with pytest.raises(RuntimeError, match=r"that of the process that forked.*make a new one"):
                sampler.sample(tasks)
            return True

        assert in_a_fork(refuses) == 0


def samples_again(expected: Samples) -> bool:
    with make_sampler(1) as sampler:
        return identical(expected, sample(sampler))


def test_a_fork_can_have_a_sampler_of_its_own():
    with make_sampler(1) as sampler:
        expected = sample(sampler)
        assert in_a_fork(lambda: samples_again(expected)) == 0
        sample(sampler)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_daemonic_process_can_have_a_sampler(method: str):
    """As a worker of `multiprocessing.Pool` is one."""
    with make_sampler(0) as sampler:
        expected = sample(sampler)
    with multiprocessing.get_context(method).Pool(1) as pool:
        assert pool.apply_async(samples_again, (expected,)).get(PATIENCE)


def test_any_thread_can_have_a_sampler():
    with make_sampler(0) as sampler:
        expected = sample(sampler)
    answers = []
    thread = threading.Thread(target=lambda: answers.append(samples_again(expected)))
    thread.start()
    thread.join(PATIENCE)
    assert answers == [True]


class StartsProcess(gym.Env[Any, Any]):
    """A walk whose steps are computed in another process."""

    observation_space = gym.spaces.Box(-10.0, 10.0, (1,))
    action_space = gym.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self) -> None:
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=adds, args=(theirs,), daemon=True)
        self.process.start()

    def sample_tasks(self, num_tasks: int) -> list[dict[str, Any]]:
        return [{} for _ in range(num_tasks)]

    def reset_task(self, task: dict[str, Any]) -> None:
        pass

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.position = self.np_random.standard_normal(1).astype("float32")
        return self.position, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.pipe.send((self.position, action))
        self.position = self.pipe.recv()
        return self.position, float(self.position[0]), False, False, {}

    def close(self) -> None:
        self.process.terminate()
        self.process.join()


def adds(pipe: Any) -> None:
    while True:
        x, y = pipe.recv()
        pipe.send(x + y)


@pytest.fixture
def starts_process() -> Iterator[str]:
    register("StartsProcess-v0", entry_point=StartsProcess, max_episode_steps=5)
    yield "StartsProcess-v0"
    del gym.registry["StartsProcess-v0"]


def test_environments_may_start_processes(backend: str, starts_process: str):
    with make_sampler(1, starts_process, backend=backend) as sampler:
        sampled = sample(sampler)
        (worker,) = workers_of(sampler)
        processes = [worker, *worker.children()]
        assert len(processes) > 1
    assert_gone(processes)
    with make_sampler(0, starts_process) as sampler:
        assert identical(sampled, sample(sampler))


def test_what_environments_started_ends_with_their_worker(starts_process: str):
    with make_sampler(1, starts_process) as sampler:
        sample(sampler)
        (worker,) = workers_of(sampler)
        processes = [worker, *worker.children()]
        assert len(processes) > 1
        worker.kill()
        assert_gone(processes)
