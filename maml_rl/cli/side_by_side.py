"""Runs side by side, each a process of ``maml-rl train``."""

import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from maml_rl._system.files import writing
from maml_rl.training.sweep import LOG, PlannedRun

POLL = 0.1
"""Seconds from one look at the processes to the next."""
TAIL = 4096
"""Bytes at the end of a log in which its last line is looked for."""
Process = subprocess.Popen[bytes]


def training_command(run: PlannedRun, options: Sequence[str]) -> list[str]:
    """Return the command line that begins the run or goes on with it."""
    return [sys.executable, "-m", "maml_rl", "train", *run.options, *options]


def finished_runs(
    runs: Sequence[PlannedRun], jobs: int, options: Sequence[str], threads: int
) -> Generator[tuple[PlannedRun, int]]:
    """Train ``jobs`` runs at a time; yield each with its exit code when it ends.

    If the generator is closed earlier, the runs that go on save a checkpoint and end first.

    Args:
        options: of ``maml-rl train`` for all runs.
        threads: that each run may compute meta-updates with, unless the environment has OMP_NUM_THREADS.
    """
    waiting = list(runs)
    environment = {"OMP_NUM_THREADS": str(threads), **os.environ}
    with _ending_all() as processes:
        while waiting or processes:
            while waiting and len(processes) < jobs:
                run = waiting.pop(0)
                processes[run] = _started(run, options, environment)
            for run, process in list(processes.items()):
                if (code := process.poll()) is not None:
                    del processes[run]
                    yield run, code
            time.sleep(POLL)


@contextmanager
def _ending_all() -> Iterator[dict[PlannedRun, Process]]:
    """Give the block a dict for its processes; at its end, end those that are left, and wait for them."""
    processes: dict[PlannedRun, Process] = {}
    try:
        yield processes
    finally:
        for process in processes.values():
            process.terminate()
        for process in processes.values():
            process.wait()


def _started(run: PlannedRun, options: Sequence[str], environment: Mapping[str, str]) -> Process:
    with writing(run.folder / LOG):
        run.folder.mkdir(parents=True, exist_ok=True)
        with (run.folder / LOG).open("ab") as log:
            command = training_command(run, options)
            return subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )


def last_line(log: Path) -> str:
    """Return the last line of a log; nothing if it cannot be read."""
    if not log.is_file():  # The end of a pipe or a device may never come.
        return ""
    with suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL))
        lines = file.read().decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "")
    return ""
