"""The processors that a process may use: how many, and which."""

import math
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

VERSION_1 = ("cpu.cfs_quota_us", "cpu.cfs_period_us")
VERSION_2 = ("cpu.max",)
"""Files that tell a cgroup's quota: microseconds of processor, and in how many, or that there is none."""


def usable_processors(root: Path = Path("/")) -> int:
    """Return the processors that this process may use; a quota of its cgroup counts, rounded up.

    Args:
        root: of the file system that tells quotas.
    """
    return max(1, min([_scheduled(), *(math.ceil(quota) for quota in _quotas(root))]))


def _scheduled() -> int:
    """Return the processors that the scheduler gives the process."""
    if hasattr(os, "process_cpu_count"):  # Python 3.13's, which may be told by the user.
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quotas of the process's cgroups and of those that they are in, in processors."""
    cgroups = root / "sys/fs/cgroup"
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        version_1 = "cpu" in controllers.split(",")
        if controllers and not version_1:
            continue
        # In a container the path may be the host's, and only the top be seen.
        for group in (PurePosixPath(path), *PurePosixPath(path).parents):
            folder = cgroups / ("cpu" if version_1 else "") / group.relative_to("/")
            limit = " ".join(_text(folder / name) for name in (VERSION_1 if version_1 else VERSION_2)).split()
            if len(limit) == 2 and limit[0] not in ("max", "-1"):
                yield int(limit[0]) / int(limit[1])


def _text(path: Path) -> str:
    """Return what a file of the kernel's says; nothing if it is not there."""
    try:
        return path.read_text()
    except OSError:
        return ""


def processor_name() -> str:
    """Return the name of the processor's model, which Python does not know on Linux."""
    found = re.search(r"^model name\s*:\s*(.*)$", _text(Path("/proc/cpuinfo")), re.MULTILINE)
    return found[1] if found else platform.processor() or "unknown"
