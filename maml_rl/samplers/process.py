"""A `SamplerWorker` in a process of its own, at the other end of a pipe."""

import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

import cloudpickle
import torch

from maml_rl import forkserver
from maml_rl.errors import WorkerError
from maml_rl.memory import keep_freed_memory
from maml_rl.samplers.worker import Sample, SamplerWorker, WorkItem


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
        """
        try:
            self._connection.send(item)
            while (answer := self._receive()) is not None:
                if isinstance(answer, FloatingPointError):
                    raise answer
                if isinstance(answer, str):
                    raise WorkerError(f"a sampler worker failed; its traceback was:\n\n{answer.rstrip()}")
                yield answer
        except (EOFError, OSError):
            self._process.join(timeout=1.0)
            raise WorkerDiedError(f"exit code {self._process.exitcode}") from None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        alive: bool = self._process.is_alive()
        return alive

    def _receive(self) -> Sample | FloatingPointError | str | None:
        if not self._connection.poll(self._timeout):
            raise WorkerDiedError(f"no answer for {self._timeout:g} s")
        answer: Sample | FloatingPointError | str | None = self._connection.recv()
        return answer

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._process.terminate()
        self._process.join(timeout=2.0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()
        self._connection.close()


def _serve(connection: Connection, payload: bytes) -> None:
    """Answer each work item with its samples and None, or with a traceback as a string."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # A spawned process has no fork server's mask.
    torch.set_num_threads(1)
    keep_freed_memory()
    worker: SamplerWorker | None = None
    failure = ""
    try:
        worker = cloudpickle.loads(payload)()
    except Exception:  # Whatever a user's environment raises is for the caller to see.
        failure = traceback.format_exc()
    while True:
        try:
            item = connection.recv()
        except EOFError:
            return
        if worker is None:
            connection.send(failure)
            continue
        try:
            for sample in worker.sample(item):
                connection.send(sample)
            connection.send(None)
        except FloatingPointError as error:
            connection.send(FloatingPointError(str(error)))
        except Exception:  # As above; the loop goes on, for the caller decides what follows.
            connection.send(traceback.format_exc())


@contextmanager
def _without_main_module() -> Iterator[None]:
    """Keep multiprocessing from running the caller's script again in the child.

    Nothing of it is needed there, and scripts without an ``if __name__ == "__main__"`` guard, as many
    written for the 2020 API are, would start workers in their workers.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main
