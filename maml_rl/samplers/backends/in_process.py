"""Work done in the caller's own process and thread: for debugging and small jobs."""

from collections.abc import Callable

from maml_rl._system.threads import one_intra_op_thread
from maml_rl.samplers.jobs import Job
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.seeding import global_generators_kept


class InProcessBackend:
    """Does each job when it is submitted; its futures come resolved, and errors raise as they are."""

    restarts = 0

    def __init__(self, make_worker: Callable[[], SamplerWorker]):
        self._worker = make_worker()

    def submit(self, job: Job) -> None:
        """Do the job."""
        with one_intra_op_thread(), global_generators_kept():  # One thread, as in a worker process.
            for answer in self._worker.do(job.work):
                job.deliver(answer)

    def close(self) -> None:
        """Close the environments."""
        self._worker.close()
