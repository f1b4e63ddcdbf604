"""Work items done in worker processes.

A task's way: `Sampler.sample_async` puts jobs on the task queue. One consumer thread per worker takes a job,
sends its work item down the worker's pipe, and resolves the job's futures as the rounds' episodes
come back. No queue or lock is shared between processes, so a worker that is killed takes none with it:
its thread sees the pipe end, starts another worker, and has the same item done again.
"""

import logging
import threading
import weakref
from collections.abc import Callable
from functools import partial
from queue import Empty, SimpleQueue

from maml_rl.config import WORKER_TIMEOUT
from maml_rl.errors import WorkerError
from maml_rl.samplers.jobs import Job
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.samplers.worker_process import WorkerDiedError, WorkerProcess

MAX_DEATHS = 3
"""Workers that may die on one work item before the item is blamed."""
HEARTBEAT = 0.5
"""Seconds between looks at an idle worker."""

logger = logging.getLogger(__name__)


class ProcessBackend:
    """Does jobs in ``num_workers`` processes.

    A worker that raises closes the backend: the error, with the worker's traceback, reaches every future
    that is still waiting. A worker that dies is replaced, and its item done again.

    Args:
        make_worker: called in each process.
        timeout: seconds without an answer after which a worker counts as dead.
    """

    def __init__(
        self, make_worker: Callable[[], SamplerWorker], num_workers: int, timeout: float = WORKER_TIMEOUT
    ):
        if num_workers < 1:
            raise ValueError(f"num_workers: expected at least 1, got {num_workers}")
        if not timeout > 0:
            raise ValueError(f"worker_timeout: expected more than 0 seconds, got {timeout}")
        self._pool = WorkerPool(partial(WorkerProcess, make_worker, timeout), num_workers)
        # Runs at garbage collection or at exit, should nobody call close().
        self._finalizer = weakref.finalize(self, self._pool.close)

    @property
    def restarts(self) -> int:
        """Number of workers that have been replaced so far."""
        return self._pool.restarts

    def submit(self, job: Job) -> None:
        """Put a job on the task queue."""
        self._pool.submit(job)

    def close(self) -> None:
        """End the processes."""
        self._finalizer()


class WorkerPool:
    """Worker processes, the task queue, and a consumer thread for each worker.

    Kept apart from the backend so that the threads do not keep the backend alive.
    """

    def __init__(self, start_worker: Callable[[], WorkerProcess], num_workers: int):
        self._start_worker = start_worker
        self._task_queue: SimpleQueue[Job | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self.restarts = 0
        self._workers = [start_worker() for _ in range(num_workers)]
        self._threads = [
            threading.Thread(target=self._consume, args=(i,), daemon=True, name=f"consumer-{i}")
            for i in range(num_workers)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Put a job on the task queue; it fails at once if the pool is closed."""
        with self._lock:
            if self._error is None:
                self._task_queue.put(job)
                return
        job.fail(self._error)

    def close(self, error: Exception | None = None) -> None:
        """End the processes; jobs not done fail with ``error``."""
        with self._lock:
            if self._error is not None:
                return
            self._error = error or RuntimeError("the sampler was closed before these episodes came")
        for _ in self._threads:  # First, so that none of them looks for an idle worker that is gone.
            self._task_queue.put(None)
        for worker in self._workers:
            worker.close()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        while True:
            try:
                job = self._task_queue.get_nowait()
            except Empty:
                return
            if job is not None:
                job.fail(self._error)

    def _consume(self, index: int) -> None:
        job = None
        try:
            while (job := self._next_job(index)) is not None:
                self._do(job, index)
        except Exception as error:  # Of the job, or of starting another worker while none was there.
            if job is not None:
                job.fail(self._error or error)
            self.close(error)

    def _next_job(self, index: int) -> Job | None:
        """Wait for a job; a worker that dies meanwhile is replaced before it is needed."""
        while True:
            try:
                return self._task_queue.get(timeout=HEARTBEAT)
            except Empty:
                if not self._workers[index].alive:
                    self._replace(index, "while idle")

    def _do(self, job: Job, index: int) -> None:
        for _ in range(MAX_DEATHS):
            try:
                for sample in self._workers[index].run(job.item):
                    job.deliver(sample)
                return
            except WorkerDiedError as death:
                self._replace(index, str(death))
        raise WorkerError(f"{MAX_DEATHS} workers died one after another on the same tasks: {job.item.tasks}")

    def _replace(self, index: int, death: str) -> None:
        """Start another worker in place of a dead one; raise why the crew is closed, if it is."""
        with self._lock:
            if self._error is not None:
                raise self._error
            logger.warning("sampler worker %d died (%s); starting another", index, death)
            self._workers[index].close()
            self._workers[index] = self._start_worker()
            self.restarts += 1
