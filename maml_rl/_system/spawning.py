"""Worker processes where the system cannot fork: each is an interpreter of its own."""

import multiprocessing
import os
import pkgutil
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from maml_rl._system.child_process import ONE_THREAD, TARGET

LONGEST_LIMIT = 2e6
"""Seconds that a pipe can be waited for; who asks for more means never."""

_starting = threading.Lock()
"""Held while the main module is hidden, and the environment another."""


class SpawnedProcess:
    """A worker that multiprocessing has spawned; see `ChildProcess`.

    Args:
        limit: seconds that a message may take to begin.
        target: the function that the worker runs, "module:name".
    """

    def __init__(self, limit: float, target: str = TARGET):
        context = multiprocessing.get_context("spawn")
        self.connection: Any
        self.connection, theirs = context.Pipe()
        self._limit = limit if limit < LONGEST_LIMIT else None
        self._process = context.Process(
            target=_run, args=(theirs, target), daemon=True, name="maml-rl-worker"
        )
        with theirs, _without_main_module(), _environment(ONE_THREAD | {"PYTHONSAFEPATH": "1"}):
            self._process.start()

    @property
    def pid(self) -> int | None:
        return self._process.pid

    @property
    def exitcode(self) -> int | None:
        return self._process.exitcode

    def receive(self) -> Any:
        if not self.connection.poll(self._limit):
            raise BlockingIOError
        return self.connection.recv()

    def hang_up(self) -> None:
        self.kill()  # A pipe that is no socket cannot be closed while another thread reads it.

    def kill(self) -> None:
        self._process.kill()

    def join(self, timeout: int | float | None = None) -> None:
        self._process.join(timeout)

    def close(self) -> None:
        self.connection.close()


def _run(connection: Connection, target: str) -> None:
    """Run the target in a new process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's.
    multiprocessing.current_process().daemon = False  # Environments may start processes of their own.
    os.environ.pop("PYTHONSAFEPATH")  # Which would reach those.
    pkgutil.resolve_name(target)(connection)


@contextmanager
def _environment(changes: dict[str, str]) -> Iterator[None]:
    """Change environment variables for a new process to inherit."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Keep multiprocessing from running the caller's script again in the child.

    Nothing of it is needed there, and scripts without an ``if __name__ == "__main__"`` guard, as many
    written for the 2020 API are, would start workers in their workers.
    """
    with _starting:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main
