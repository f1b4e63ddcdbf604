"""A `SamplerWorker` in a process of its own, at the other end of a pipe."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from multiprocessing.connection import Connection

import cloudpickle

from maml_rl._system import forkserver
from maml_rl._system.surroundings import Surroundings
from maml_rl.samplers.answers import (
    Answer,
    WorkerDiedError,
    answers_of,
    good,
    made_worker,
    prepare_for_work,
)
from maml_rl.samplers.plan import Reply, Sample, Work
from maml_rl.samplers.worker import SamplerWorker

FAREWELL = 2.0
"""Seconds that an idle worker has to close its environments."""


class WorkerProcess:
    """Starts a worker and has it do its work, one piece at a time.

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

    def ready(self, seconds: float) -> bool:
        """Return True: the pipe takes work before the process is there to read it."""
        return True

    def run(self, work: Work) -> Iterator[Sample | Reply]:
        """Yield the answers to ``work`` as they come.

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
            self._connection.send(cloudpickle.dumps(work))
            yield from good(self._answers())
        except BlockingIOError:
            raise WorkerDiedError(f"no answer for {self._timeout:g} s") from None
        except (EOFError, OSError):
            self._process.join(timeout=1.0)
            code = self._process.exitcode
            raise WorkerDiedError(f"exit code {'unknown' if code is None else code}") from None

    def _answers(self) -> Iterator[Answer]:
        while True:
            answer: Answer = self._process.receive()
            self._busy = isinstance(answer, Sample | Reply)
            yield answer

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
    """Answer until the caller is gone."""
    prepare_for_work()
    with suppress(EOFError, ConnectionError):  # The caller ended, perhaps at once by a second Ctrl-C.
        worker = made_worker(*connection.recv())
        try:
            while True:
                for answer in answers_of(worker, partial(cloudpickle.loads, connection.recv())):
                    connection.send(answer)
        finally:
            if not isinstance(worker, str):
                with suppress(Exception):  # Nobody is there to hear of it.
                    worker.close()
