"""The fork server of this process: there is one at hand, whatever happens to it."""

import atexit
import os
import sys
import threading
import weakref

from maml_rl._system import fork_client
from maml_rl._system.child_process import TARGET

assert sys.platform != "win32"  # Also tells mypy that what Windows lacks is not asked for there.

MAX_SERVERS = 3
"""Fork servers that may fail one after another before a start is given up."""


class Starter:
    """Keeps a fork server and starts workers by it, from any thread.

    Args:
        target: the function that every worker runs, "module:name".
    """

    def __init__(self, target: str = TARGET):
        self._target = target
        self._lock = threading.Lock()  # Never held while a server is waited for.
        self._server: fork_client.ForkServer | None = None
        self._processes: weakref.WeakSet[fork_client.ForkedProcess] = weakref.WeakSet()

    def prepare(self) -> None:
        """Have a server that begins to import what workers need."""
        with self._lock:
            self._running()

    def start(self, limit: float, closing: threading.Event) -> fork_client.ForkedProcess:
        """Return a new worker; a server that dies or hangs meanwhile is replaced.

        Args:
            limit: seconds that the start, and later each message, may take.
            closing: set when the worker is not wanted any more.

        Raises:
            OSError: the system has no more processes or descriptors, or no server works.
            RuntimeError: ``closing`` was set.
        """
        reason = ""
        for _ in range(MAX_SERVERS):
            with self._lock:
                server = self._running()
                connection, report = server.request()
            try:
                pid = server.answer(report, limit, closing)
            except (EOFError, TimeoutError) as error:
                reason = server.last_words() or str(error) or "the fork server died"
                self._discard(server)
            else:
                process = fork_client.ForkedProcess(pid, connection, report, limit)
                self._processes.add(process)
                return process
        raise OSError(f"{reason}, {MAX_SERVERS} times")

    def _running(self) -> fork_client.ForkServer:
        if self._server is not None and not self._server.alive:
            self._server.stop()
            self._server = None
        if self._server is None:
            self._server = fork_client.ForkServer(self._target)
        return self._server

    def _discard(self, server: fork_client.ForkServer) -> None:
        with self._lock:
            if self._server is server:  # Else another thread did it.
                server.stop()
                self._server = None

    def stop(self) -> None:
        """End the server, which may still be importing."""
        with self._lock:
            if self._server is not None:
                self._server.stop()
                self._server = None

    def leave(self) -> None:
        """Let go of what is the parent's, in a fork of this process: its workers shall end with it."""
        if self._server is not None:
            self._server.leave()
        for process in list(self._processes):
            process.close()


def _begin_anew() -> None:
    """Leave everything to the parent, in a fork of it. The lock may be held by a thread that is not here."""
    global starter
    starter.leave()
    starter = Starter()


starter = Starter()
"""That of this process."""
atexit.register(lambda: starter.stop())
os.register_at_fork(after_in_child=_begin_anew)
