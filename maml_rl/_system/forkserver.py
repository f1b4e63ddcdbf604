"""The start of worker processes. This module imports nothing heavy, so that it can be the first one used."""

import multiprocessing
import signal
from multiprocessing import forkserver, resource_tracker
from multiprocessing.context import BaseContext

PRELOADED = "maml_rl.samplers.worker_process"
"""The module that every worker needs. The server imports it once, and forks a worker in milliseconds."""


def start() -> BaseContext:
    """Return the context that makes workers: by a fork server where there is one, else by spawning.

    The server imports PyTorch while the caller goes on, to do the same. It and its workers never hear
    Ctrl-C, which is the caller's to handle: they inherit a mask, since what a process does about signals
    itself comes too late for one that arrives while it starts.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    resource_tracker.ensure_running()  # First, for it lets go of SIGINT when it starts.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    return context
