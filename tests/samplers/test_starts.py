"""Workers whose start takes for ever, fails, or is not wanted any more."""

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from maml_rl.errors import UsageError
from tests.samplers.helpers import assert_gone, identical, make_sampler, sample, workers_of

if sys.platform == "win32":
    pytest.skip("Windows cannot fork", allow_module_level=True)

import resource

from maml_rl._system.fork_starter import starter

PATIENCE = 60
"""Seconds to wait for what takes one or two on a quiet machine, and never comes if it hangs."""


@pytest.fixture(autouse=True)
def no_server_is_left_stopped() -> Iterator[None]:
    yield
    starter.stop()


def server() -> psutil.Process:
    assert starter._server is not None
    return psutil.Process(starter._server._process.pid)


@pytest.mark.slow
def test_a_worker_is_replaced_though_the_fork_server_is_stopped(caplog: pytest.LogCaptureFixture):
    with make_sampler(1, worker_timeout=3.0) as sampler:
        sample(sampler)
        stopped = server()
        stopped.suspend()
        (victim,) = workers_of(sampler)
        victim.kill()
        second = sample(sampler)
        assert sampler.restarts == 1
        assert server() != stopped
    with make_sampler(0) as sampler:
        sample(sampler)
        assert identical(second, sample(sampler))


def test_workers_outlive_the_fork_server(caplog: pytest.LogCaptureFixture):
    with make_sampler(1) as sampler:
        sample(sampler)
        server().kill()
        time.sleep(1.0)  # Two looks at an idle worker.
        second = sample(sampler)
        assert sampler.restarts == 0
    with make_sampler(0) as sampler:
        sample(sampler)
        assert identical(second, sample(sampler))


@pytest.mark.slow
def test_closing_does_not_wait_for_a_start(caplog: pytest.LogCaptureFixture):
    sampler = make_sampler(1)
    workers = workers_of(sampler)
    sample(sampler)
    server().suspend()
    workers[0].kill()
    deadline = time.monotonic() + PATIENCE
    while "starting another" not in caplog.text:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    futures = sampler.sample_async(sampler.sample_tasks(40))
    begun = time.monotonic()
    sampler.close()
    assert time.monotonic() - begun < PATIENCE / 2
    with pytest.raises(RuntimeError, match="the sampler was closed"):
        sampler.sample_wait(futures)
    starter.stop()  # Who would reap them is stopped.
    assert_gone(workers)


@pytest.fixture
def few_descriptors() -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    starter.prepare()
    resource.setrlimit(resource.RLIMIT_NOFILE, (psutil.Process().num_fds() + 20, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


@pytest.mark.usefixtures("few_descriptors")
def test_too_many_workers_for_the_descriptors_are_one_line():
    servers = len(psutil.Process().children(recursive=True))
    with pytest.raises(
        UsageError, match=r"cannot start a sampler worker: Too many open files; lower --num-w"
    ):
        make_sampler(20)
    deadline = time.monotonic() + PATIENCE
    while len(psutil.Process().children(recursive=True)) > servers:  # Those that did start.
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_too_many_workers_for_the_threads_are_one_line(monkeypatch: pytest.MonkeyPatch):
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name == "consumer-1":
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(
        UsageError, match=r"cannot start a sampler worker: can't start new thread; lower --num-w"
    ):
        make_sampler(2)
    assert "consumer-0" not in [thread.name for thread in threading.enumerate()]


def test_a_server_that_cannot_be_started_is_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    starter.stop()
    monkeypatch.setattr("multiprocessing.spawn.get_executable", lambda: str(tmp_path / "python"))
    with pytest.raises(UsageError, match=r"cannot start a sampler worker: No such file or directory; lower"):
        make_sampler(1)


def test_signals_to_all_processes_leave_the_workers_to_the_caller():
    with make_sampler(1) as sampler:
        sample(sampler)
        for process in (server(), *workers_of(sampler)):
            for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGXCPU):
                process.send_signal(number)
        assert os.getpgid(server().pid) != os.getpgid(0)
        sample(sampler)
        assert sampler.restarts == 0
        workers = workers_of(sampler)
    assert_gone(workers)
