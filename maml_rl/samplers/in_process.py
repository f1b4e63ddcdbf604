"""Sampling in the caller's own process and thread: for debugging and small jobs."""

from typing import Any

import torch

from maml_rl.samplers.base import Job, Sampler


class InProcessSampler(Sampler):
    """Does each work item when it is asked for; its futures come resolved, and errors raise as they are."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._worker = self._make_worker()

    def _submit(self, job: Job) -> None:
        # One intra-op thread, as in a worker process: the same arithmetic gives the same bits.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            for sample in self._worker.sample(job.item):
                job.deliver(sample)
        finally:
            torch.set_num_threads(threads)

    def _stop(self) -> None:
        self._worker.close()
