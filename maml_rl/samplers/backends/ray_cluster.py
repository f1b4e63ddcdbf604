"""The connection of this process to a Ray cluster. Ray itself is imported when it is needed."""

import logging
import os
import re
import signal
import socket
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from maml_rl.errors import UsageError, shown

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU", "SIGALRM")
"""Signals that are for the process itself to hear, and not for a cluster that it started."""
LONGEST_KNOCK = 10.0
"""Seconds for a cluster to take a connection."""


@dataclass(frozen=True)
class RayCluster:
    """A Ray cluster to sample on.

    Args:
        address: of a running one, ``auto`` or ``HOST:PORT``; None: one on this machine, for as long as the
            run lasts.
        verbose: whether Ray's own lines are shown.

    Raises:
        UsageError: Ray is not installed, or the address is none.
    """

    address: str | None = None
    verbose: bool = False

    def __post_init__(self) -> None:
        if find_spec("ray") is None:
            raise UsageError("--sampler ray needs Ray, which is not installed: pip install ray")
        if self.address is not None and not re.fullmatch(r"auto|[^\s/]+:\d+", self.address):
            raise UsageError(f"ray-address: expected auto or HOST:PORT, got {shown(self.address)}")

    def connect(self, cpus: int) -> Callable[[], None]:
        """Connect this process; return what ends that. A connection that the process has already is kept.

        Args:
            cpus: of a cluster that is started here.

        Raises:
            UsageError: the cluster cannot be reached or started.
        """
        if not self.verbose:  # Ray reads it when it is imported, and prints of worker processes without it.
            os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", "^")
        import ray

        if ray.is_initialized():
            return lambda: None
        return _Connection(self, cpus).close

    @contextmanager
    def connected(self, cpus: int) -> Iterator[None]:
        """Connect this thread's process for the block."""
        import ray

        level = logging.INFO if self.verbose else logging.CRITICAL
        logging.getLogger("ray").setLevel(level)
        options: dict[str, Any] = {"log_to_driver": self.verbose, "logging_level": level}
        with ExitStack() as stack:
            if self.address is None:
                folder = stack.enter_context(_folder_for_ray())
                options |= {"num_cpus": cpus, "include_dashboard": False, "_temp_dir": folder}
            else:
                self._check_reachable()
            try:
                ray.init(self.address or "local", **options)
            except Exception as error:  # It raises all sorts, also of a network that fails.
                raise UsageError(f"{self._failure}: {str(error).strip() or type(error).__name__}") from None
            try:
                yield
            finally:
                ray.shutdown(wait_for_processes=True)

    def _check_reachable(self) -> None:
        """Knock at the address: Ray itself would try for minutes, and write of it."""
        address = os.environ.get("RAY_ADDRESS", "") if self.address == "auto" else self.address
        host, colon, port = (address or "").rpartition(":")
        if colon:
            try:
                socket.create_connection((host, int(port)), timeout=LONGEST_KNOCK).close()
            except (OSError, OverflowError, ValueError) as error:
                raise UsageError(f"{self._failure}: {error}") from None

    @property
    def _failure(self) -> str:
        if self.address is None:
            return "cannot start a Ray cluster on this machine"
        return f"cannot connect to the Ray cluster at '{self.address}'"


class _Connection:
    """Connects this process to a cluster from a thread that lives as long as the connection.

    In the main thread Ray would set a handler of SIGTERM in Python. What it starts inherits the thread's
    signal mask, and is ended by the kernel when the thread is over.
    """

    def __init__(self, cluster: RayCluster, cpus: int):
        self._over = threading.Event()
        self._up: Future[None] = Future()
        self._thread = threading.Thread(target=self._live, args=(cluster, cpus), daemon=True, name="ray")
        self._thread.start()
        try:
            self._up.result()
        except BaseException:  # It may be an interruption, while Ray is still starting.
            self.close()
            raise
        _install_handlers_again()

    def close(self) -> None:
        """End the connection, and the cluster if it was started here."""
        self._over.set()
        if self._thread is not threading.current_thread():  # As the garbage collector may have it.
            self._thread.join()

    def _live(self, cluster: RayCluster, cpus: int) -> None:
        if sys.platform != "win32":
            signal.pthread_sigmask(signal.SIG_BLOCK, ending_signals())
        try:
            with cluster.connected(cpus):
                self._up.set_result(None)
                self._over.wait()
        except Exception as error:
            if self._up.done():
                raise
            self._up.set_exception(error)


def hear_signals() -> None:
    """Undo in an actor what `_Connection` has blocked, so that environments can end what they start."""
    if sys.platform != "win32":
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ending_signals())


def ending_signals() -> set[signal.Signals]:
    """Return the signals of `ENDING`."""
    return {getattr(signal, name) for name in ENDING}


def _install_handlers_again() -> None:
    """Have Python hear SIGTERM, for which Ray has put a handler of its own beneath Python's."""
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGTERM)
        if handler is not None:
            signal.signal(signal.SIGTERM, handler)


def _folder_for_ray() -> tempfile.TemporaryDirectory[str]:
    """Make a folder for Ray's files. The path of a socket among them may have 107 letters."""
    short = None if sys.platform == "win32" else "/tmp"
    place = os.environ.get("RAY_TMPDIR", short)
    return tempfile.TemporaryDirectory(prefix="ray-", dir=place, ignore_cleanup_errors=True)
