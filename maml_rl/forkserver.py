"""How worker processes start. This module imports nothing heavy, so that it can be the first one used."""

import multiprocessing
from multiprocessing import forkserver
from multiprocessing.context import BaseContext

PRELOADED = "maml_rl.samplers.process"
"""What every worker needs. The server imports it once; forking a worker then takes milliseconds."""


def worker_context() -> BaseContext:
    """Return the context that makes workers: a fork server where there is one, else by spawning."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([PRELOADED])
    return context


def start() -> None:
    """Start the fork server, if there is one: it imports PyTorch while the caller goes on, to do the same."""
    if worker_context().get_start_method() == "forkserver":
        forkserver.ensure_running()
