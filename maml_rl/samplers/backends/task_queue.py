"""Jobs that wait for a worker: for any, or for one that holds what they ask about."""

import threading
from collections import deque
from collections.abc import Collection

from maml_rl.samplers.jobs import Job


class TaskQueue:
    """Hands out jobs in the order in which they came, to workers that may do them.

    Args:
        workers: all that there are, at any time; what one that is gone was wanted for, any may do.
    """

    def __init__(self, workers: Collection[object]):
        self._workers = workers
        self._jobs: deque[Job] = deque()
        self._changed = threading.Condition()
        self._closed = False

    def put(self, job: Job) -> None:
        """Add a job."""
        with self._changed:
            self._jobs.append(job)
            self._changed.notify_all()

    def get(self, worker: object, seconds: float) -> Job | None:
        """Take the first job that a worker may do; None if none comes for so long, or the queue is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._first(worker) is not None, seconds)
            job = None if self._closed else self._first(worker)
            if job is not None:
                self._jobs.remove(job)
            return job

    def close(self) -> list[Job]:
        """Hand out nothing any more; return what was left."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            left = list(self._jobs)
            self._jobs.clear()
            return left

    def _first(self, worker: object) -> Job | None:
        for job in self._jobs:
            if job.wanted in (None, worker) or job.wanted not in self._workers:
                return job
        return None
