"""Worker processes by way of a fork server, where the system can fork."""

import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe, spawn, util
from multiprocessing.connection import Connection
from typing import Any

from maml_rl._system import fork_loop
from maml_rl._system.child_process import ONE_THREAD
from maml_rl._system.surroundings import Surroundings

assert sys.platform != "win32"  # Also tells mypy that what Windows lacks is not asked for there.

IMPORTING = 120.0
"""Seconds that a fork server may take to import PyTorch, however short the limit is for what comes after."""
HEARTBEAT = 0.1
"""Seconds between looks at whether a start is still wanted."""
LONGEST_LIMIT = 1e9
"""Seconds that the operating system can count; who asks for more means never."""

CODE = "import sys; sys.path[:] = {}; from maml_rl._system.fork_loop import main; main({}, {!r})"


class ForkServer:
    """A process that has imported what workers need, and forks one in milliseconds.

    Multiprocessing has one too, but its socket needs a temporary folder, nothing bounds the wait for it, and
    its children may have none themselves. This one has a pair of sockets, and ends with its caller.

    Args:
        target: the function that every worker runs, "module:name".
    """

    def __init__(self, target: str):
        self._answered = False
        self._control, theirs = socket.socketpair()
        self._control.settimeout(IMPORTING)
        code = CODE.format(Surroundings.of_this_process().path, theirs.fileno(), target)
        flags = util._args_from_interpreter_flags()  # type: ignore[attr-defined]
        with theirs, _held_back():
            try:
                self._process = subprocess.Popen(
                    [spawn.get_executable(), *flags, "-P", "-c", code],
                    stdin=subprocess.DEVNULL,
                    env=os.environ | ONE_THREAD,
                    pass_fds=[theirs.fileno()],
                    process_group=0,  # Ctrl-C, and whatever else a terminal sends, is the caller's.
                )
            except BaseException:
                self._control.close()
                raise

    @property
    def alive(self) -> bool:
        """True if the process runs, though it may be stopped or hang."""
        return self._process.poll() is None

    def request(self) -> tuple[Connection, Connection]:
        """Ask for a worker; return the ends of its pipe and of the pipe that reports on it."""
        connection, theirs = Pipe()
        report, reports = Pipe(duplex=False)
        with theirs, reports, suppress(ConnectionError, TimeoutError):  # Then both pipes are closed.
            socket.send_fds(self._control, [b"\0"], [theirs.fileno(), reports.fileno()])
        return connection, report

    def answer(self, report: Connection, limit: float, closing: threading.Event) -> int:
        """Return the number of a new worker.

        Raises:
            TimeoutError: it has not come within ``limit`` seconds.
            EOFError: the server died, or has no descriptors left.
            OSError: the system has no more processes.
            RuntimeError: it is not wanted any more, because ``closing`` is set.
        """
        limit = limit if self._answered else max(limit, IMPORTING)
        deadline = time.monotonic() + limit
        while not report.poll(max(min(HEARTBEAT, deadline - time.monotonic()), 0.0)):
            if closing.is_set():
                raise RuntimeError("the sampler was closed while a worker started")
            if time.monotonic() > deadline:
                raise TimeoutError(f"the fork server did not answer for {limit:g} s")
        answer: int | str = report.recv()
        self._answered = True
        if isinstance(answer, str):
            raise OSError(answer)
        return answer

    def last_words(self) -> str:
        """Return why the server gave up, if it could say so."""
        with suppress(OSError):
            self._control.settimeout(0.0)
            return self._control.recv(1000).decode(errors="replace")
        return ""

    def stop(self) -> None:
        """End the server, not its workers."""
        self._process.kill()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(1.0)
        self._control.close()

    def leave(self) -> None:
        """Forget the server in a fork of this process; it is the parent's."""
        self._control.close()
        self._process.returncode = 0  # Else it would be waited for.


class ForkedProcess:
    """A worker that a fork server has made; see `ChildProcess`.

    Args:
        report: brings the exit code, from the server.
        limit: seconds that a message may take, and that the process may keep a message waiting.
    """

    def __init__(self, pid: int, connection: Connection, report: Connection, limit: float):
        self.pid, self.connection, self._report = pid, connection, report
        self.exitcode: int | None = None
        _limit(connection, limit)

    def receive(self) -> Any:
        return self.connection.recv()

    def hang_up(self) -> None:
        end = socket.socket(fileno=self.connection.fileno())
        with suppress(OSError):  # The other end is closed.
            end.shutdown(socket.SHUT_WR)
        end.detach()

    def kill(self) -> None:
        fork_loop.kill_group(self.pid)

    def join(self, timeout: int | float | None = None) -> None:
        with suppress(EOFError, OSError):  # A server that was killed will never say.
            if self.exitcode is None and self._report.poll(timeout):
                self.exitcode = self._report.recv()

    def close(self) -> None:
        self.connection.close()
        self._report.close()


@contextmanager
def _held_back() -> Iterator[None]:
    """Start a process with the caller's signals blocked: it does not hear one before it can pass over it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, fork_loop.CALLERS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _limit(connection: Connection, seconds: float) -> None:
    """Have the connection raise `BlockingIOError` when the other end keeps it waiting for longer.

    Looking for an answer before reading it would not do: a worker may hang in the middle of one, or before it
    reads what it is sent.
    """
    end = socket.socket(fileno=connection.fileno())
    microseconds = max(round(min(seconds, LONGEST_LIMIT) * 1e6), 1)  # 0 would be no limit.
    limit = struct.pack("@ll", *divmod(microseconds, 10**6))  # C's struct timeval; macOS's is as long.
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    end.detach()
