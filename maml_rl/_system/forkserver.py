"""The start of worker processes. This module imports nothing heavy, so that it can be the first one used."""

import sys
import threading

from maml_rl._system.child_process import ChildProcess
from maml_rl.errors import UsageError


def start() -> None:
    """Start the fork server, where the system can fork.

    It imports PyTorch while the caller goes on, to do the same.

    Raises:
        UsageError: it cannot be started.
    """
    if sys.platform != "win32":
        from maml_rl._system import fork_starter

        try:
            fork_starter.starter.prepare()
        except OSError as error:
            raise cannot_start(error) from None


def start_process(limit: float, closing: threading.Event) -> ChildProcess:
    """Return a process that runs the workers' function: forked where the system can fork, else spawned.

    Args:
        limit: seconds that the start, and later each message, may take.
        closing: set when the process is not wanted any more.

    Raises:
        UsageError: it cannot be started.
        RuntimeError: ``closing`` was set.
    """
    try:
        return _new_process(limit, closing)
    except (OSError, AssertionError) as error:  # An assertion: multiprocessing's, in a daemonic process.
        raise cannot_start(error) from None


def cannot_start(reason: Exception) -> UsageError:
    """Return the line about workers that the system refuses."""
    why = getattr(reason, "strerror", None) or reason
    return UsageError(
        f"cannot start a sampler worker: {why}; lower --num-workers: "
        "0 samples in this process (num_workers=0, InProcessSampler)"
    )


def _new_process(limit: float, closing: threading.Event) -> ChildProcess:
    if sys.platform == "win32":
        from maml_rl._system.spawning import SpawnedProcess

        return SpawnedProcess(limit)
    else:  # Not left out, so that mypy sees one of them alone.
        from maml_rl._system import fork_starter

        return fork_starter.starter.start(limit, closing)
