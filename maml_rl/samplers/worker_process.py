"""A `SamplerWorker` in a process of its own, at the other end of a pipe."""

import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TypeAlias

import cloudpickle
import torch

from maml_rl._system import forkserver
from maml_rl._system.memory import keep_freed_memory
from maml_rl._system.surroundings import Surroundings
from maml_rl.errors import UsageError, WorkerError, out_of_memory
from maml_rl.samplers.plan import Sample, WorkItem
from maml_rl.samplers.worker import SamplerWorker

Explained: TypeAlias = FloatingPointError | MemoryError | UsageError
"""Numbers that are not finite, short memory, a mistake of the user's: their message says all."""
Answer: TypeAlias = Sample | Explained | str | None
"""A sample of the item, its end, or what went wrong: as it is, or the traceback of another exception."""

FAREWELL = 2.0
"""Seconds that an idle worker has to close its environments."""


class WorkerDiedError(Exception):
    """The process ended without an answer (killed, or crashed outside Python), or hangs."""


class WorkerProcess:
    """Starts a worker and does work items with it, one at a time.

    Args:
        make_worker: called in the process. It travels by value, and so may refer to classes that are
            defined in a script or a notebook.
        timeout: seconds without an answer, of the start too, after which the process counts as dead.
        closing: set when a worker that is being started is not wanted any more.

    Raises:
        UsageError: the system cannot make another process.
    """

    def __init__(
        self,
        make_worker: Callable[[], SamplerWorker],
        timeout: float,
        closing: threading.Event | None = None,
    ):
        self._timeout = timeout
        payload = cloudpickle.dumps(make_worker)
        self._process = forkserver.start_process(timeout, closing or threading.Event())
        self._connection = self._process.connection
        self._busy = False
        self._ending = threading.Lock()
        self._deadline: float | None = None
        with suppress(OSError):  # It has ended; the first item will tell.
            self._connection.send((Surroundings.of_this_process(), payload))

    def run(self, item: WorkItem) -> Iterator[Sample]:
        """Yield the samples of ``item`` as they come.

        Raises:
            WorkerError: the worker raised; the message holds its traceback.
            WorkerDiedError: the process ended, or has not answered for too long.
            FloatingPointError: an episode's numbers are NaN or infinite.
            MemoryError: the worker could not have the memory that it asked for.
            UsageError: the environment is not as it should be.
        """
        with self._ending:
            if self._deadline is not None:
                raise WorkerDiedError("stopped")
            self._busy = True
        try:
            self._connection.send(cloudpickle.dumps(item))
            while (answer := self._process.receive()) is not None:
                self._busy = not isinstance(answer, Explained | str)
                if isinstance(answer, Explained):
                    raise answer
                if isinstance(answer, str):
                    raise WorkerError(f"a sampler worker failed; its traceback was:\n\n{answer.rstrip()}")
                yield answer
            self._busy = False
        except BlockingIOError:
            raise WorkerDiedError(f"no answer for {self._timeout:g} s") from None
        except (EOFError, OSError):
            self._process.join(timeout=1.0)
            code = self._process.exitcode
            raise WorkerDiedError(f"exit code {'unknown' if code is None else code}") from None

    @property
    def alive(self) -> bool:
        """True if the process, which has nothing to do, still holds its end of the pipe."""
        try:
            return not self._connection.poll()
        except OSError:
            return False

    def stop(self) -> None:
        """Have the process end: at once, or if it is idle when its environments are closed.

        Another thread may be waiting for its answer.
        """
        with self._ending:
            if self._connection.closed or self._deadline is not None:
                return
            self._deadline = time.monotonic() + FAREWELL
            if self._busy:
                self._process.kill()
            else:
                self._process.hang_up()

    def close(self) -> None:
        """End the process, whatever it is doing, and free the pipe. An idle one may tidy up first."""
        self.stop()
        with self._ending:
            if self._connection.closed:
                return
            if not self._busy:
                with suppress(OSError):  # As some systems have it, of a pipe that has ended.
                    self._connection.poll(self._time_left())
            self._process.kill()  # If it has ended, what its environments have started.
            self._process.join(self._time_left())
            self._process.close()

    def _time_left(self) -> float:
        assert self._deadline is not None
        return max(self._deadline - time.monotonic(), 0.0)


def serve(connection: Connection) -> None:
    """Answer work items until the caller is gone."""
    torch.set_num_threads(1)
    keep_freed_memory()
    with suppress(EOFError, ConnectionError):  # The caller ended, perhaps at once by a second Ctrl-C.
        surroundings, payload = connection.recv()
        surroundings.enter()
        worker: SamplerWorker | str
        try:
            worker = cloudpickle.loads(payload)()
        except Exception:  # Whatever a user's environment raises is for the caller to see.
            worker = traceback.format_exc()
        try:
            while True:
                for answer in _answers(worker, connection.recv()):
                    connection.send(answer)
        finally:
            if not isinstance(worker, str):
                with suppress(Exception):  # Nobody is there to hear of it.
                    worker.close()


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
    except UsageError as error:  # One that an exception of the environment's caused comes with its traceback.
        yield error if error.__cause__ is None else traceback.format_exc()
    except Exception as error:  # As above; the worker goes on, for the caller decides what follows.
        yield MemoryError(str(error)) if out_of_memory(error) else traceback.format_exc()
