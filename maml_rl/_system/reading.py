"""Reading whole files that users name."""

import errno
import stat
from pathlib import Path


def read_regular(path: Path) -> bytes:
    """Return what the file holds. Pipes and devices, whose end may never come, are not read.

    Raises:
        OSError: it is missing, may not be read, or is not a regular file.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # A folder has its own error below.
        raise OSError(errno.EINVAL, "not a regular file")
    return path.read_bytes()
