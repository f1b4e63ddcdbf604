"""What a long run holds of the machine's memory."""

import ctypes
import sys


def hand_back_free_memory() -> None:
    """Give the system the memory that the C library keeps free, so that a run holds what it uses.

    Meta-updates take and free blocks of many sizes, as many as episodes have lengths; glibc keeps some of
    them, more or less from update to update. Where there is no such call, nothing happens.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
