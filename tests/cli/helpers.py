"""The command line, called in this process where that will do, and in one of its own where it must."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from maml_rl.cli import main
from maml_rl.training import RunFolder
from maml_rl.training.metrics import Iteration
from tests.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs" / "maml"
TABULAR, NAVIGATION = CONFIGS / "tabular-mdp.yaml", CONFIGS / "2d-navigation.yaml"
PROMP = ROOT / "configs" / "promp" / "navigation.yaml"
TINY = ("--num-batches", 2, "--meta-batch-size", 3, "--fast-batch-size", 4, "--num-workers", 0)
"""Of training: a second's work."""


@dataclass
class Outcome:
    """What a command left behind."""

    status: int | str | None
    out: str
    err: str


class Command:
    """Calls ``maml-rl`` in this process."""

    def __init__(self, capture: pytest.CaptureFixture[str]):
        self._capture = capture

    def __call__(self, *arguments: object) -> Outcome:
        self._capture.readouterr()
        try:
            main([str(argument) for argument in arguments])
        except SystemExit as end:
            return Outcome(end.code, *self._capture.readouterr())
        return Outcome(0, *self._capture.readouterr())

    def succeeds(self, *arguments: object) -> str:
        """Return what was printed."""
        outcome = self(*arguments)
        assert (outcome.status, outcome.err) == (0, "")
        return outcome.out

    def fails(self, *arguments: object) -> str:
        """Return the one line that a user's mistake is worth."""
        outcome = self(*arguments)
        assert (outcome.status, outcome.out) == (2, "")
        return the_line(outcome.err)


def the_line(err: str) -> str:
    (line,) = err.splitlines()
    assert line.startswith("maml-rl: ")
    return line


def run(*command: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command line of its own; "python" and "maml-rl" are those of the tests' environment."""
    executables = {"python": sys.executable, "maml-rl": str(Path(sys.executable).parent / "maml-rl")}
    words = [str(word) for word in command]
    return subprocess.run(
        [executables.get(words[0], words[0]), *words[1:]],
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def read_config(folder: Path) -> dict[str, Any]:
    entries: dict[str, Any] = json.loads((folder / "config.json").read_text())
    return entries


def read_metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def read_policy(folder: Path) -> dict[str, Tensor]:
    state: dict[str, Tensor] = torch.load(folder / "policy.th", weights_only=True)
    return state


class PowerCutError(BaseException):
    """Nothing is cleaned up after it."""


@contextmanager
def power_cut(monkeypatch: pytest.MonkeyPatch, after: int) -> Iterator[None]:
    """Have a training run stop without any farewell when ``after`` meta-updates are written."""
    write = RunFolder.write_iteration

    def last(self: RunFolder, iteration: Iteration) -> None:
        if iteration.number > after:
            raise PowerCutError
        write(self, iteration)

    with monkeypatch.context() as patch:
        patch.setattr(RunFolder, "write_iteration", last)
        patch.setattr(RunFolder, "close", lambda self: (self._metrics.close(), self._timings.close()))
        with pytest.raises(PowerCutError):
            yield


def results(folder: Path) -> dict[str, bytes]:
    """Everything of a run that the seed determines."""
    machines = ("config.json", "timings.csv", "tensorboard/")
    return {name: content for name, content in contents(folder).items() if not name.startswith(machines)}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below ``folder``."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
