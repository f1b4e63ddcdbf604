"""What worker processes run in tests of processes: quicker to import than PyTorch is."""

import multiprocessing
import operator
import os
import signal
import subprocess
import sys
import time
from multiprocessing.connection import Connection
from pathlib import Path


def obey(connection: Connection) -> None:
    """Call the functions that come down the pipe, and send back what they return."""
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        connection.send(function(*arguments))


def start_sleeper() -> int:
    """Start a process that lasts longer than any test; return its number."""
    return subprocess.Popen(["sleep", "600"]).pid


def handled_in_a_fork(number: int) -> bool:
    """Return whether a process that is forked here would survive the signal."""
    child = os.fork()
    if child == 0:
        signal.raise_signal(number)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def multiply_in_a_process(x: int, y: int) -> int:
    """Have a process of multiprocessing's compute x y."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(operator.mul, (x, y))


# A module that fails as the variable tells when a server imports it, or before it forks.
failure, _, marker = os.environ.get("TEST_SERVER_FAILS", "").partition(":")
if "maml_rl._system.fork_client" in sys.modules:  # It is the caller that imports it.
    failure = ""


def _fail() -> None:
    if marker:
        if Path(marker).exists():
            return
        Path(marker).touch()
    os._exit(1)


if failure == "before a fork":
    os.register_at_fork(before=_fail)
if failure == "at import":
    _fail()
if failure == "slow":
    time.sleep(600)
if failure == "no processes":

    def _refuse() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    os.fork = _refuse


def leave(code: int) -> None:
    """End the process at once."""
    os._exit(code)
