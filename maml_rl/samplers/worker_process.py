"""A `SamplerWorker` in a process of its own, at the other end of a pipe."""

import signal
import socket
import struct
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any, TypeAlias

import cloudpickle
import torch

from maml_rl._system import forkserver
from maml_rl._system.memory import keep_freed_memory
from maml_rl.errors import WorkerError, out_of_memory
from maml_rl.samplers.plan import Sample, WorkItem
from maml_rl.samplers.worker import SamplerWorker

Answer: TypeAlias = Sample | FloatingPointError | MemoryError | str | None
"""A sample of the item, its end, numbers not finite, short memory, or the traceback of another exception."""

LONGEST_TIMEOUT = 1e9
"""Seconds that the operating system can count; who asks for more means never."""

_starting = threading.Lock()
"""Held while the main module is hidden."""


class WorkerDiedError(Exception):
    """The process ended without an answer (killed, or crashed outside Python), or hangs."""


class WorkerProcess:
    """Starts a worker and does work items with it, one at a time.

    Args:
        make_worker: called in the process. It travels by value, and so may refer to classes that are
            defined in a script or a notebook.
        timeout: seconds without an answer after which the process counts as dead.
    """

    def __init__(self, make_worker: Callable[[], SamplerWorker], timeout: float):
        self._timeout = timeout
        context = forkserver.start()
        self._connection, theirs = context.Pipe()
        _limit(self._connection, timeout)
        payload = cloudpickle.dumps(make_worker)
        self._process: Any = context.Process(  # type: ignore[attr-defined]
            target=_serve, args=(theirs, payload), daemon=True, name="maml-rl-worker"
        )
        with _without_main_module():
            self._process.start()
        theirs.close()

    def run(self, item: WorkItem) -> Iterator[Sample]:
        """Yield the samples of ``item`` as they come.

        Raises:
            WorkerError: the worker raised; the message holds its traceback.
            WorkerDiedError: the process ended, or has not answered for too long.
            FloatingPointError: an episode's numbers are NaN or infinite.
            MemoryError: the worker could not have the memory that it asked for.
        """
        try:
            self._connection.send(cloudpickle.dumps(item))
            while (answer := self._connection.recv()) is not None:
                if isinstance(answer, FloatingPointError | MemoryError):
                    raise answer
                if isinstance(answer, str):
                    raise WorkerError(f"a sampler worker failed; its traceback was:\n\n{answer.rstrip()}")
                yield answer
        except BlockingIOError:
            raise WorkerDiedError(f"no answer for {self._timeout:g} s") from None
        except (EOFError, OSError):
            self._process.join(timeout=1.0)
            raise WorkerDiedError(f"exit code {self._process.exitcode}") from None

    @property
    def alive(self) -> bool:
        """True if the process runs."""
        alive: bool = self._process.is_alive()
        return alive

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.terminate()
        self._process.join(timeout=2.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()


def _serve(connection: Connection, payload: bytes) -> None:
    """Answer work items until the caller is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # A spawned process has no fork server's mask.
    torch.set_num_threads(1)
    keep_freed_memory()
    worker: SamplerWorker | str
    try:
        worker = cloudpickle.loads(payload)()
    except Exception:  # Whatever a user's environment raises is for the caller to see.
        worker = traceback.format_exc()
    with suppress(EOFError, ConnectionError):  # The caller ended, perhaps at once by a second Ctrl-C.
        while True:
            for answer in _answers(worker, connection.recv()):
                connection.send(answer)


def _answers(worker: SamplerWorker | str, item: bytes) -> Iterator[Answer]:
    """Yield the samples of an item and None, or what went wrong: in making the worker if that failed.

    Args:
        item: a pickled `WorkItem`; its tasks may hold what is defined in the caller's script.
    """
    if isinstance(worker, str):
        yield worker
        return
    try:
        yield from worker.sample(cloudpickle.loads(item))
        yield None
    except FloatingPointError as error:
        yield FloatingPointError(str(error))
    except Exception as error:  # As above; the worker goes on, for the caller decides what follows.
        yield MemoryError(str(error)) if out_of_memory(error) else traceback.format_exc()


def _limit(connection: Connection, seconds: float) -> None:
    """Have the connection raise `BlockingIOError` when the other end keeps it waiting for longer.

    Looking for an answer before reading it would not do: a worker may hang in the middle of one, or before it
    reads what it is sent.
    """
    end = socket.socket(fileno=connection.fileno())
    microseconds = max(round(min(seconds, LONGEST_TIMEOUT) * 1e6), 1)  # 0 would be no limit.
    limit = struct.pack("@ll", *divmod(microseconds, 10**6))  # C's struct timeval.
    end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    end.detach()


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
