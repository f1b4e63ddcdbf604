"""How many processors a process may use, by what the kernel says of its cgroups."""

import os
import sys
from pathlib import Path

import pytest

from maml_rl._system import processors
from maml_rl._system.processors import usable_processors


@pytest.fixture(autouse=True)
def eight(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scheduler gives eight."""
    monkeypatch.setattr(processors, "_scheduled", lambda: 8)


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


V1 = "sys/fs/cgroup/cpu"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, 8, id="no cgroups"),
        pytest.param({"proc/self/cgroup": ""}, 8, id="none of them"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 8, id="no quota"
        ),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "250000 100000\n"}, 3, id="2.5"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2, id="2"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "1000 100000\n"}, 1, id="0.01"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "6400000 100000\n"}, 8, id="64"),
        pytest.param(
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/cpu.max": "max 100000\n",
                "sys/fs/cgroup/a/cpu.max": "400000 100000\n",
            },
            4,
            id="of the cgroup above",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "12:memory:/m\n4:cpu,cpuacct:/j\n0::/\n",
                f"{V1}/j/cpu.cfs_quota_us": "150000\n",
                f"{V1}/j/cpu.cfs_period_us": "50000\n",
            },
            3,
            id="version 1",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu,cpuacct:/docker/0123\n",
                f"{V1}/cpu.cfs_quota_us": "200000\n",
                f"{V1}/cpu.cfs_period_us": "100000\n",
            },
            2,
            id="version 1 with the path of the host",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "4:cpu:/\n",
                f"{V1}/cpu.cfs_quota_us": "-1\n",
                f"{V1}/cpu.cfs_period_us": "100000\n",
            },
            8,
            id="version 1 without a quota",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "3:cpuset:/s\n",
                "sys/fs/cgroup/s/cpu.max": "100000 100000\n",
            },
            8,
            id="version 1 of another controller",
        ),
    ],
)
def test_a_quota_counts(tmp_path: Path, files: dict[str, str], expected: int):
    write(tmp_path, files)
    assert usable_processors(tmp_path) == expected


def test_what_the_scheduler_gives_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.undo()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 3, 5}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    if sys.version_info < (3, 13):
        assert usable_processors(tmp_path) == 3
        monkeypatch.delattr(os, "sched_getaffinity")  # As on macOS and Windows.
        assert usable_processors(tmp_path) == 7
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2, raising=False)
    assert usable_processors(tmp_path) == 2
