"""Waiting for what other processes and threads do."""

import time
from collections.abc import Callable

PATIENCE = 200
"""Seconds that anything may take, on a machine that does other things too."""


def wait_until(condition: Callable[[], object], what: str = "") -> None:
    """Wait until ``condition`` holds.

    Args:
        what: is waited for, to be named if it does not come.
    """
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, f"waited in vain for {what or condition}"
        time.sleep(0.02)
