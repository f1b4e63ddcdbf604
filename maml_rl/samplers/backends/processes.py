"""Work done in worker processes."""

from collections.abc import Callable
from functools import partial

from maml_rl.config import WORKER_TIMEOUT
from maml_rl.samplers.backends.pool import PoolBackend
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.samplers.worker_process import WorkerProcess


class ProcessBackend(PoolBackend):
    """Does jobs in ``num_workers`` processes.

    Args:
        make_worker: called in each process.
        timeout: seconds without an answer after which a worker counts as dead.

    Raises:
        UsageError: the system cannot have as many processes.
    """

    def __init__(
        self, make_worker: Callable[[], SamplerWorker], num_workers: int, timeout: float = WORKER_TIMEOUT
    ):
        super().__init__(partial(WorkerProcess, make_worker, timeout), num_workers, timeout)
