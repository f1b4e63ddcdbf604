"""Printing never costs a result."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.helpers import ROOT, TABULAR, TINY
from tests.waiting import PATIENCE

WORDS = [sys.executable, "-m", "maml_rl"]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}


def words_of_test(run: Path, output: Path) -> list[str]:
    sizes = ("--num-batches", 2, "--meta-batch-size", 2, "--num-workers", 0, "--seed", 5)
    words = ("test", "--config", run / "config.json", "--policy", run / "policy.th", "--output", output)
    return [*WORDS, *map(str, (*words, *sizes))]


@pytest.mark.parametrize(
    "environment",
    [
        {"PYTHONIOENCODING": "latin-1"},
        pytest.param({"PYTHONIOENCODING": "ascii"}, marks=pytest.mark.slow),
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_letters_that_the_terminal_lacks_are_escaped(
    environment: dict[str, str], navigation_run: Path, tmp_path: Path
):
    folder = tmp_path / "目录"
    done = subprocess.run(
        words_of_test(navigation_run, folder / "r.npz"),
        env=ENVIRONMENT | environment,
        capture_output=True,
        timeout=PATIENCE,
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"\\xb1" in done.stdout or "±".encode("latin-1") in done.stdout
    assert sorted(path.name for path in folder.iterdir()) == ["r.csv", "r.npz", "r.png", "r.tasks.csv"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="it is Linux's")
def test_a_full_disk_below_standard_output_is_a_line(navigation_run: Path, tmp_path: Path):
    training = [*WORDS, *map(str, ("train", "--config", TABULAR, *TINY, "--output-folder", tmp_path / "run"))]
    for words in (words_of_test(navigation_run, tmp_path / "r.npz"), training, [*WORDS, "configs"]):
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                words, env=ENVIRONMENT, stdout=full, stderr=subprocess.PIPE, text=True, timeout=PATIENCE
            )
        line = "maml-rl: what was printed could not be written: No space left on device\n"
        assert (done.returncode, done.stderr) == (1, line)
    assert (tmp_path / "r.npz").exists()
    assert len((tmp_path / "run" / "metrics.csv").read_text().splitlines()) == 3


def test_a_terminal_that_has_gone_away_costs_nothing(navigation_run: Path, tmp_path: Path):
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        words_of_test(navigation_run, tmp_path / "r.npz"), env=ENVIRONMENT, stdout=theirs, stderr=theirs
    )
    os.close(theirs)
    os.close(ours)
    assert process.wait(timeout=PATIENCE) == 1
    assert (tmp_path / "r.npz").exists()


@pytest.mark.slow
def test_standard_streams_that_are_closed(navigation_run: Path, tmp_path: Path):
    words = " ".join(words_of_test(navigation_run, tmp_path / "r.npz"))
    done = subprocess.run(["sh", "-c", f"{words} >&- 2>&-"], env=ENVIRONMENT, timeout=PATIENCE)
    assert done.returncode == 0
    assert (tmp_path / "r.npz").exists()


def test_a_reader_that_has_seen_enough(tmp_path: Path):
    words = " ".join([*WORDS, "configs"])
    done = subprocess.run(
        ["bash", "-c", f"{words} | head -1; echo ${{PIPESTATUS[0]}}"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines()[-1] in ("0", "141")
