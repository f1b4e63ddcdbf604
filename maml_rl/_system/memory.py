"""Memory that a process keeps or hands back, where the C library is glibc; elsewhere nothing happens."""

import ctypes
import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""Names of glibc's malloc.h."""


def keep_freed_memory() -> None:
    """Have the C library keep what is freed, a gigabyte at most.

    Rollouts and meta-updates take and free the same large arrays over and over, and would ask the kernel for
    the same pages anew each time.
    """
    _call("mallopt", M_MMAP_THRESHOLD, 32 << 20)  # The most that it takes.
    _call("mallopt", M_TRIM_THRESHOLD, 1 << 30)


def hand_back_free_memory() -> None:
    """Give the system the memory that is kept free, so that a run holds what it uses.

    Episodes have many lengths, and so arrays have many sizes; what is kept for them moves up and down.
    """
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    function = getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
    if function is not None:
        function(*arguments)
