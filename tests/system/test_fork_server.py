"""Fork servers that die, hang or cannot start, and what their workers hear, see and leave behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

if sys.platform == "win32":
    pytest.skip("Windows cannot fork", allow_module_level=True)

from maml_rl._system.fork_client import ForkedProcess
from maml_rl._system.fork_loop import CALLERS, _Server
from maml_rl._system.fork_starter import Starter
from tests.system import workers

PATIENCE = 60.0
"""Seconds to wait for what takes one or two on a quiet machine, and never comes if it hangs."""

ROOT = Path(__file__).parents[2]
TARGET = "tests.system.workers:obey"

CALLER = f"""
import sys, threading, time
from maml_rl._system.fork_starter import Starter
from tests.system import workers

starter = Starter("{TARGET}")

def start():
    return starter.start(60.0, threading.Event())

def ask(process, function, *arguments):
    process.connection.send((function, arguments))
    return process.receive()

def show(*pids):
    print(*pids, flush=True)
"""
"""The beginning of a script that has a starter of its own."""


@pytest.fixture
def starter() -> Iterator[Starter]:
    starter = Starter(TARGET)
    yield starter
    starter.stop()


def start(starter: Starter, limit: float = PATIENCE) -> ForkedProcess:
    return starter.start(limit, threading.Event())


def ask(process: ForkedProcess, function: Callable[..., Any], *arguments: Any) -> Any:
    process.connection.send((function, arguments))
    return process.receive()


def server_of(starter: Starter) -> psutil.Process:
    assert starter._server is not None
    return psutil.Process(starter._server._process.pid)


def assert_gone(*pids: int) -> None:
    deadline = time.monotonic() + PATIENCE
    for pid in pids:
        with suppress(psutil.NoSuchProcess):
            while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                assert time.monotonic() < deadline
                time.sleep(0.01)


def begin(script: str, **variables: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", CALLER + script],
        env=os.environ | {"PYTHONPATH": str(ROOT)} | variables,
        stdout=subprocess.PIPE,
        text=True,
    )


def shown(caller: subprocess.Popen[str]) -> list[int]:
    assert caller.stdout is not None
    return [int(pid) for pid in caller.stdout.readline().split()]


def test_a_server_that_was_killed_is_replaced_and_its_workers_go_on(starter: Starter):
    first = start(starter)
    server_of(starter).kill()
    second = start(starter)
    assert ask(first, os.getpid) == first.pid
    assert ask(second, os.getpid) == second.pid
    first.kill()
    first.join(PATIENCE)
    assert first.exitcode is None  # Nobody is there to tell.


def test_a_server_that_is_stopped_is_replaced_within_the_limit(starter: Starter):
    start(starter)
    stopped = server_of(starter)
    stopped.suspend()
    begun = time.monotonic()
    worker = start(starter, limit=1.0)
    assert 1.0 <= time.monotonic() - begun < PATIENCE
    worker.connection.send((os.getpid, ()))
    assert worker.connection.poll(PATIENCE)
    assert_gone(stopped.pid)


def test_a_start_that_is_not_wanted_any_more_is_not_waited_for(starter: Starter):
    start(starter)
    server_of(starter).suspend()
    closing = threading.Event()
    threading.Timer(0.2, closing.set).start()
    begun = time.monotonic()
    with pytest.raises(RuntimeError, match="closed while a worker started"):
        starter.start(600.0, closing)
    assert time.monotonic() - begun < PATIENCE
    starter.stop()  # Nor does the end wait for it.
    assert time.monotonic() - begun < PATIENCE


@pytest.mark.parametrize("moment", ["at import", "before a fork"])
def test_a_server_that_dies_once_is_replaced(
    moment: str, starter: Starter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("TEST_SERVER_FAILS", f"{moment}:{tmp_path / 'failed'}")
    worker = start(starter)
    assert (tmp_path / "failed").exists()
    assert ask(worker, os.getpid) == worker.pid


@pytest.mark.parametrize("moment", ["at import", "before a fork"])
def test_servers_that_always_die_are_given_up(moment: str, starter: Starter, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TEST_SERVER_FAILS", moment)
    with pytest.raises(OSError, match=r"^the fork server died, 3 times$"):
        start(starter)


def test_a_server_that_cannot_import_says_why_and_prints_nothing(capfd: pytest.CaptureFixture[str]):
    starter = Starter("tests.system.workers:missing")
    with pytest.raises(OSError, match=r"AttributeError: module 'tests.system.workers' has no attribute"):
        start(starter)
    starter.stop()
    assert capfd.readouterr().err == ""


def test_a_system_without_processes_is_told_in_its_own_words(
    starter: Starter, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("TEST_SERVER_FAILS", "no processes")
    with pytest.raises(OSError, match=r"^Resource temporarily unavailable$"):
        start(starter)


@pytest.mark.parametrize("number", CALLERS)
def test_signals_of_the_callers_do_not_end_workers_and_servers(starter: Starter, number: signal.Signals):
    starter.prepare()
    server_of(starter).send_signal(number)  # Which has hardly begun.
    first = start(starter)
    server = server_of(starter)
    server.send_signal(number)
    ask(first, signal.raise_signal, number)
    second = start(starter)
    assert server_of(starter) == server
    assert ask(first, os.getpid) == first.pid
    assert not ask(second, workers.handled_in_a_fork, number)  # That is an environment's own affair.
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == set()


def test_exit_codes_are_those_of_the_workers(starter: Starter):
    killed, exited, left = (start(starter) for _ in range(3))
    killed.kill()
    exited.connection.send((workers.leave, (7,)))
    left.hang_up()
    for worker, code in ((killed, -signal.SIGKILL), (exited, 7), (left, 0)):
        worker.join(PATIENCE)
        assert worker.exitcode == code


@pytest.mark.parametrize("end", ["kill", "hang_up"])
def test_what_a_worker_has_started_ends_with_it(starter: Starter, end: str):
    worker = start(starter)
    sleeper = ask(worker, workers.start_sleeper)
    getattr(worker, end)()
    assert_gone(worker.pid, sleeper)


def test_libraries_compute_with_one_thread_in_workers_alone(starter: Starter):
    before = dict(os.environ)
    worker = start(starter)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        assert ask(worker, os.getenv, name) == "1"
    assert dict(os.environ) == before


def test_nothing_outlives_a_caller_that_was_killed(tmp_path: Path):
    """Its workers are in the middle of something, and have started something."""
    caller = begin(
        """
processes = [start() for _ in range(2)]
sleepers = [ask(process, workers.start_sleeper) for process in processes]
for process in processes:
    process.connection.send((time.sleep, (600,)))
show(starter._server._process.pid, *(process.pid for process in processes), *sleepers)
time.sleep(600)
""",
        TMPDIR=str(tmp_path),
    )
    left_behind = shown(caller)
    assert len(left_behind) == 5
    caller.kill()
    caller.communicate()
    assert_gone(*left_behind)
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_still_imports_ends_with_its_caller():
    caller = begin(
        "starter.prepare(); show(starter._server._process.pid); time.sleep(600)", TEST_SERVER_FAILS="slow"
    )
    (server,) = shown(caller)
    time.sleep(0.5)
    assert psutil.pid_exists(server)
    caller.kill()
    caller.communicate()
    assert_gone(server)


@pytest.mark.parametrize("folder", ["x" * 130, "missing"])
def test_no_temporary_folder_is_needed(tmp_path: Path, folder: str):
    if folder != "missing":
        (tmp_path / folder).mkdir()
    caller = begin("print(ask(start(), int, 3))", TMPDIR=str(tmp_path / folder))
    assert caller.communicate(timeout=PATIENCE)[0] == "3\n"


def test_a_fork_of_the_caller_lets_go_of_the_workers():
    """They end with the caller, though the fork lives on."""
    caller = begin(
        """
import os
from maml_rl._system import fork_starter
starter = fork_starter.starter = Starter(starter._target)
process = start()
child = os.fork()
if child == 0:
    assert ask(fork_starter.starter.start(60.0, threading.Event()), int, 3) == 3
    time.sleep(600)
show(child, starter._server._process.pid, process.pid)
time.sleep(600)
"""
    )
    child, *left_behind = shown(caller)
    caller.kill()
    caller.wait()
    try:
        assert_gone(*left_behind)
        assert psutil.pid_exists(child)
    finally:
        os.kill(child, signal.SIGKILL)
        caller.communicate()


def test_workers_that_end_behind_its_own_end_are_not_heard_of():
    """A signal that is written to a socket which is closed prints a traceback."""
    before = signal.getsignal(signal.SIGCHLD)
    ours, callers = socket.socketpair()
    callers.close()
    try:
        _Server(ours, lambda connection: None).run()
        assert signal.set_wakeup_fd(-1) == -1
    finally:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, before)
        ours.close()
