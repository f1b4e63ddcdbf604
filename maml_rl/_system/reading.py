"""Reading whole files that users name."""

import errno
import stat
from pathlib import Path


def read_regular(path: Path, largest: int | None = None) -> bytes:
    """Return what the file holds. Pipes and devices, whose end may never come, are not read.

    Args:
        largest: bytes that it may have; any number if None.

    Raises:
        OSError: it is missing, may not be read, is too large, or is not a regular file.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode) and not stat.S_ISDIR(status.st_mode):  # A folder has its own error.
        raise OSError(errno.EINVAL, "not a regular file")
    if largest is not None and status.st_size > largest:
        raise OSError(errno.EFBIG, f"larger than {largest >> 20} MiB")
    return path.read_bytes()
