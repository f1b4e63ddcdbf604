"""``maml-rl`` in processes of their own, which signals reach."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.helpers import ROOT, TABULAR
from tests.waiting import wait_until

SMALL = ("train", "--config", TABULAR, "--meta-batch-size", 3, "--fast-batch-size", 4, "--seed", 4)


def started(*words: object, lines: int) -> subprocess.Popen[str]:
    """Start a command as the first process of a session, and wait until it has printed ``lines``."""
    process = subprocess.Popen(
        [sys.executable, "-m", "maml_rl", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=_hear_signals,
    )
    assert process.stdout is not None
    for _ in range(lines):
        assert process.stdout.readline()
    return process


def training(folder: Path, *options: object) -> subprocess.Popen[str]:
    """Start a run that would go on for long, and wait until it has made some meta-updates."""
    return started(*SMALL, "--num-batches", 100000, "--output-folder", folder, *options, lines=5)


def _hear_signals() -> None:
    """Have a new process hear what whoever runs the tests may have it ignore, as nohup does."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def members(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes of its session."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if os.getsid(int(entry.name)) == process.pid:
                    found.append(int(entry.name))
            except ProcessLookupError:
                pass
    return found


def wait_until_alone(process: subprocess.Popen[str]) -> None:
    """Wait until no process of its session is left."""
    wait_until(lambda: not members(process), "its processes to end")
