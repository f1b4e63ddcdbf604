"""Sampling in the caller's own process and thread: for debugging and small jobs."""

from typing import Any

from maml_rl.samplers.base import Sampler
from maml_rl.samplers.jobs import Job
from maml_rl.threads import one_intra_op_thread


class InProcessSampler(Sampler):
    """Does each work item when it is asked for; its futures come resolved, and errors raise as they are."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._worker = self._make_worker()

    def _submit(self, job: Job) -> None:
        with one_intra_op_thread():  # As in a worker process.
            for sample in self._worker.sample(job.item):
                job.deliver(sample)

    def _stop(self) -> None:
        self._worker.close()
