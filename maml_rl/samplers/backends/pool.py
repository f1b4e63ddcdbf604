"""A pool of workers, each of which does one job at a time.

A task's way: `Sampler.sample_async` puts jobs on the task queue. One consumer thread per worker takes a job,
hands its work to the worker, and resolves the job's futures as the answers come back. A question goes to the
worker that holds the episodes it asks about. No queue
or lock is shared with a worker, so one that is killed takes none with it: its thread sees it end, puts the
job on the queue again, and starts another worker.
"""

import logging
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Protocol, TypeAlias

from maml_rl._system.forkserver import cannot_start
from maml_rl.errors import WorkerError
from maml_rl.samplers.answers import WorkerDiedError
from maml_rl.samplers.backends.task_queue import TaskQueue
from maml_rl.samplers.jobs import Job
from maml_rl.samplers.plan import Reply, Sample, Work

MAX_DEATHS = 3
"""Workers that may die on one job before its tasks are blamed."""
HEARTBEAT = 0.5
"""Seconds between looks at an idle worker."""

logger = logging.getLogger(__name__)


class Worker(Protocol):
    """Does its work somewhere, one piece at a time."""

    def ready(self, seconds: float) -> bool:
        """Return whether it can take work; wait for that, but no longer than ``seconds``."""
        ...

    def run(self, work: Work) -> Iterator[Sample | Reply]:
        """Yield the answers to ``work`` as they come; raise what the worker raised.

        Raises:
            WorkerDiedError: the worker ended, or has not answered for too long.
        """
        ...

    @property
    def alive(self) -> bool:
        """Whether it is there; only asked of one that has nothing to do."""
        ...

    def stop(self) -> None:
        """Have it end, and do not wait. Another thread may be in `run`, which then raises."""
        ...

    def close(self) -> None:
        """End it, and free what it holds here."""
        ...


StartWorker: TypeAlias = Callable[[threading.Event], Worker]
"""Starts a worker, unless the event is set meanwhile."""


class PoolBackend:
    """Does jobs with the workers of a pool.

    A worker that raises closes the backend: the error, with the worker's traceback, reaches every future
    that is still waiting. A worker that dies is replaced, and its item done again.

    Args:
        start_worker: starts one of ``num_workers``.
        timeout: seconds without an answer after which a worker counts as dead.
        afterwards: called when all workers have ended.
    """

    def __init__(
        self,
        start_worker: StartWorker,
        num_workers: int,
        timeout: float,
        afterwards: Callable[[], None] = lambda: None,
    ):
        if num_workers < 1:
            raise ValueError(f"num_workers: expected at least 1, got {num_workers}")
        if not timeout > 0:
            raise ValueError(f"worker_timeout: expected more than 0 seconds, got {timeout}")
        self._pool = WorkerPool(start_worker, num_workers)
        # Runs at garbage collection or at exit, should nobody call close().
        self._finalizer = weakref.finalize(self, _end, self._pool, afterwards)

    @property
    def restarts(self) -> int:
        """Number of workers that have been replaced so far."""
        return self._pool.restarts

    def submit(self, job: Job) -> None:
        """Put a job on the task queue."""
        self._pool.submit(job)

    def close(self) -> None:
        """End the workers."""
        self._finalizer()


def _end(pool: "WorkerPool", afterwards: Callable[[], None]) -> None:
    try:
        pool.close()
    finally:
        afterwards()


class WorkerPool:
    """Workers, the task queue, and a consumer thread for each worker.

    Kept apart from the backend so that the threads do not keep the backend alive.

    Args:
        start_worker: starts one, unless the event that it is given is set meanwhile.
    """

    def __init__(self, start_worker: StartWorker, num_workers: int):
        self._closing = threading.Event()
        self._start_worker = partial(start_worker, self._closing)
        self._lock = threading.Lock()
        self._error: Exception | None = None
        self._owner = os.getpid()
        self.restarts = 0
        self._workers: list[Worker] = []
        self._task_queue = TaskQueue(self._workers)
        self._threads: list[threading.Thread] = []
        try:
            for _ in range(num_workers):
                self._workers.append(self._start_worker())
            for index in range(num_workers):
                self._threads.append(self._start_consumer(index))
        except BaseException:
            self.close()
            raise

    def submit(self, job: Job) -> None:
        """Put a job on the task queue; it fails at once if the pool is closed."""
        if os.getpid() != self._owner:
            job.fail(RuntimeError("this sampler is that of the process that forked this one: make a new one"))
            return
        with self._lock:
            if self._error is None:
                self._task_queue.put(job)
                return
        job.fail(self._error)

    def close(self, error: Exception | None = None) -> None:
        """End the workers; jobs not done fail with ``error``. In a fork of the caller nothing happens."""
        if os.getpid() != self._owner:
            return
        with self._lock:
            if self._error is not None:
                return
            self._error = error or RuntimeError("the sampler was closed before these episodes came")
        self._closing.set()
        left = self._task_queue.close()  # First, so that no thread looks for an idle worker that is gone.
        for worker in self._workers:
            worker.stop()
        for thread in self._threads:
            if thread is not threading.current_thread():
                thread.join()
        for worker in self._workers:
            worker.close()
        for job in left:
            job.fail(self._error)

    def _start_consumer(self, index: int) -> threading.Thread:
        thread = threading.Thread(target=self._consume, args=(index,), daemon=True, name=f"consumer-{index}")
        try:
            thread.start()
        except RuntimeError as error:  # The system has no more of them.
            raise cannot_start(error) from None
        return thread

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
        deaths = 0
        while self._error is None:
            worker = self._workers[index]
            if worker.ready(HEARTBEAT):
                deaths = 0
                if (job := self._task_queue.get(worker, HEARTBEAT)) is not None:
                    return job
            if self._error is None and not worker.alive:
                deaths += 1
                if deaths == MAX_DEATHS:
                    raise WorkerError(f"{MAX_DEATHS} workers died one after another as they started")
                self._replace(index, "while idle")
        return None

    def _do(self, job: Job, index: int) -> None:
        try:
            for answer in self._workers[index].run(job.work):
                job.taken(self._workers[index])
                job.deliver(answer)
        except WorkerDiedError as death:
            job.deaths += 1
            if job.deaths == MAX_DEATHS:
                raise WorkerError(
                    f"{MAX_DEATHS} workers died one after another on the same tasks: {job.work.tasks}"
                ) from None
            self._task_queue.put(job)  # For any worker: another in this one's place may be long in coming.
            self._replace(index, str(death))

    def _replace(self, index: int, death: str) -> None:
        """Start another worker in place of a dead one; raise why the pool is closed, if it is."""
        if self._error is None:
            logger.warning("sampler worker %d died (%s); starting another", index, death)
            self._workers[index].close()
            worker = self._start_worker()  # It may take long, and closing shall not wait for it.
            with self._lock:
                if self._error is None:
                    self._workers[index] = worker
                    self.restarts += 1
                    return
            worker.close()
        raise self._error
