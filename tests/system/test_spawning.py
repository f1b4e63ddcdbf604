"""Workers where the system cannot fork, as on Windows."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maml_rl._system import forkserver
from maml_rl._system.spawning import SpawnedProcess, _without_main_module
from maml_rl.errors import UsageError
from tests.samplers.helpers import (
    assert_gone,
    fragile_registered,
    identical,
    make_sampler,
    pool_of,
    sample,
    workers_of,
)
from tests.system import workers

PATIENCE = 60.0
"""Seconds to wait for what takes one or two on a quiet machine, and never comes if it hangs."""


def start(limit: float = PATIENCE) -> SpawnedProcess:
    """One that imports little."""
    return SpawnedProcess(limit, "tests.system.workers:obey")


def ask(process: SpawnedProcess, function: Callable[..., Any], *arguments: Any) -> Any:
    process.connection.send((function, arguments))
    return process.receive()


def end(process: SpawnedProcess) -> None:
    process.kill()
    process.join(PATIENCE)
    process.close()


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> None:
    """All samplers' workers are."""
    monkeypatch.setattr(forkserver, "_new_process", lambda limit, closing: SpawnedProcess(limit))


def test_spawned_workers_sample_the_same_and_are_replaced(spawned: None):
    with make_sampler(1) as sampler:
        worker: Any = pool_of(sampler)._workers[0]
        assert isinstance(worker._process, SpawnedProcess)
        first = sample(sampler)
        (victim,) = workers_of(sampler)
        victim.kill()
        second = sample(sampler)
    assert_gone([victim])
    with make_sampler(0) as sampler:
        assert identical(first, sample(sampler))
        assert identical(second, sample(sampler))


@pytest.mark.slow
def test_a_spawned_worker_that_hangs_counts_as_dead(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, spawned: None
):
    kwargs = {"fail_in": "step", "how": "hang", "marker": str(tmp_path / "hung"), "safe_pid": os.getpid()}
    with fragile_registered() as name, make_sampler(1, name, kwargs, worker_timeout=15.0) as sampler:
        disturbed = sample(sampler)
        assert "died (no answer for 15 s); starting another" in caplog.text
        with make_sampler(0, name, kwargs) as other:
            assert identical(disturbed, sample(other))


def test_a_spawned_worker_is_one_of_the_same_kind():
    before = dict(os.environ)
    process = start(limit=float("inf"))
    assert ask(process, os.getpid) == process.pid
    assert ask(process, os.getenv, "OPENBLAS_NUM_THREADS") == "1"
    assert ask(process, os.getenv, "PYTHONSAFEPATH") is None
    assert ask(process, workers.multiply_in_a_process, 6, 7) == 42
    ask(process, signal.raise_signal, signal.SIGINT)
    assert ask(process, os.getpid) == process.pid
    process.hang_up()
    process.join(PATIENCE)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    assert dict(os.environ) == before


def test_a_spawned_worker_may_keep_its_caller_waiting_for_the_limit_only():
    process = start(limit=0.2)
    with pytest.raises(BlockingIOError):
        ask(process, time.sleep, PATIENCE)
    end(process)


def test_a_file_like_one_of_the_standard_library_is_not_taken_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "random.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    process = start()
    assert ask(process, os.getpid) == process.pid
    end(process)


def test_a_refusal_is_one_line_with_the_way_out(spawned: None, monkeypatch: pytest.MonkeyPatch):
    """Multiprocessing lets the workers of a pool have no processes of their own."""
    process: Any = multiprocessing.current_process()
    monkeypatch.setitem(process._config, "daemon", True)
    with pytest.raises(
        UsageError, match=r"^cannot start a sampler worker: daemonic .*num-workers.* 0 samples"
    ):
        make_sampler(1)


def test_workers_that_start_at_once_leave_the_main_module_alone():
    main = sys.modules["__main__"]
    inside = threading.Event()

    def start() -> None:
        with _without_main_module():
            inside.set()
            time.sleep(0.2)

    first = threading.Thread(target=start)
    first.start()
    inside.wait(PATIENCE)
    with _without_main_module():  # Were it not for the lock, this would bring back the first one's.
        first.join(0.5)
    first.join()
    assert sys.modules["__main__"] is main
