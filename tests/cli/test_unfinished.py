"""``maml-rl test`` that is stopped, and goes on."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maml_rl._system.files import write_atomically
from maml_rl.cli.interrupts import Interrupted
from maml_rl.evaluation import adapting
from maml_rl.evaluation.unfinished import unfinished_path
from tests.cli.helpers import Command, contents
from tests.cli.processes import started

SIZES = ("--num-batches", 4, "--meta-batch-size", 2, "--num-workers", 0)


def words(run: Path, output: Path, *options: object) -> tuple[object, ...]:
    of_run = ("--config", run / "config.json", "--policy", run / "policy.th")
    return ("test", *of_run, *SIZES, "--output", output, *options)


@contextmanager
def stopped_after(batches: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """A signal in the midst of the batch behind ``batches``; the list counts what was sampled."""
    sample = adapting.sample_adaptation
    sampled: list[int] = []

    def once_more(*arguments: Any) -> Any:
        if len(sampled) == batches:
            signal.raise_signal(signal.SIGTERM)
        sampled.append(arguments[-1])
        return sample(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(adapting, "sample_adaptation", once_more)
        yield sampled


@pytest.mark.parametrize("compared", [(), ("--compare", "random")])
@pytest.mark.parametrize("batches", [1, 3])
def test_finished_batches_are_not_sampled_again(
    command: Command,
    navigation_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    batches: int,
    compared: tuple[str, ...],
):
    whole, output = tmp_path / "whole.npz", tmp_path / "r.npz"
    command.succeeds(*words(navigation_run, whole, "--seed", 5, *compared))
    with stopped_after(batches, monkeypatch):
        outcome = command(*words(navigation_run, output, "--seed", 5, *compared))
    assert outcome.status == 128 + signal.SIGTERM
    assert outcome.err == (
        "maml-rl: interrupted by SIGTERM; finished batches are kept: go on with --resume\n"
    )
    assert unfinished_path(output).exists()
    assert not output.exists()
    with stopped_after(99, monkeypatch) as sampled:  # The seed is the test's own.
        command.succeeds(*words(navigation_run, output, "--resume", *compared))
    assert len(sampled) == 4 * (1 + bool(compared)) - batches
    for suffix in (".npz", ".csv"):
        assert output.with_suffix(suffix).read_bytes() == whole.with_suffix(suffix).read_bytes()
    assert not unfinished_path(output).exists()


def test_a_test_that_has_kept_nothing_leaves_nothing(
    command: Command, navigation_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with stopped_after(0, monkeypatch):
        outcome = command(*words(navigation_run, tmp_path / "r.npz"))
    assert outcome.status == 128 + signal.SIGTERM
    assert outcome.err == "maml-rl: interrupted by SIGTERM; no batch was finished\n"
    assert not contents(tmp_path)
    command.succeeds(*words(navigation_run, tmp_path / "r.npz", "--resume"))  # From the beginning.


def test_without_output_nothing_is_promised(
    command: Command, navigation_run: Path, monkeypatch: pytest.MonkeyPatch
):
    of_run = ("--config", navigation_run / "config.json", "--policy", navigation_run / "policy.th")
    with stopped_after(1, monkeypatch):
        err = command("test", *of_run, *SIZES).err
    assert err == "maml-rl: interrupted by SIGTERM; finished batches are lost without --output\n"
    assert "--resume needs --output" in command.fails("test", *of_run, *SIZES, "--resume")


@pytest.fixture
def unfinished(
    command: Command, navigation_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    output = tmp_path / "r.npz"
    with stopped_after(2, monkeypatch):
        command(*words(navigation_run, output, "--seed", 5))
    return output


@pytest.mark.parametrize(
    ("options", "key"),
    [
        (("--seed", 6), "seed"),
        (("--fast-lr", 0.7), "fast-lr"),
        (("--num-steps", 2), "num-steps, step-size-schedule"),
        (("--step-size-schedule", 0.5), "step-size-schedule"),
        (("--compare", "random"), "policies"),
        (("--meta-batch-size", 3), "meta-batch-size"),
    ],
)
def test_another_test_does_not_go_on(
    command: Command, navigation_run: Path, unfinished: Path, options: tuple[object, ...], key: str
):
    before = contents(unfinished.parent)
    said = command.fails(*words(navigation_run, unfinished, "--resume", *options))
    assert f"is of a test with another {key}: test with the same" in said
    assert contents(unfinished.parent) == before


def test_more_batches_go_on(command: Command, navigation_run: Path, unfinished: Path):
    command.succeeds(*words(navigation_run, unfinished, "--resume", "--num-batches", 5))
    with np.load(unfinished, allow_pickle=False) as results:
        assert results["returns"].shape[1] == 10


def test_an_unfinished_test_is_not_lost_unless_told(command: Command, navigation_run: Path, unfinished: Path):
    before = contents(unfinished.parent)
    said = command.fails(*words(navigation_run, unfinished))
    assert "r.npz.unfinished' holds a test to go on with: pass --resume, or --overwrite" in said
    assert contents(unfinished.parent) == before
    command.succeeds(*words(navigation_run, unfinished, "--overwrite"))


@pytest.mark.parametrize("damage", [b"", b"PK", None])
def test_a_damaged_file(command: Command, navigation_run: Path, unfinished: Path, damage: bytes | None):
    path = unfinished_path(unfinished)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30] if damage is None else damage)
    assert "is no unfinished test" in command.fails(*words(navigation_run, unfinished, "--resume"))


@pytest.mark.timeout(60)
@pytest.mark.parametrize("kind", ["a pipe", "a device"])
@pytest.mark.parametrize("options", [(), ("--seed", 5)])
def test_what_is_no_file_keeps_nobody_waiting(
    command: Command, navigation_run: Path, unfinished: Path, kind: str, options: tuple[object, ...]
):
    path = unfinished_path(unfinished)
    path.unlink()
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    said = command.fails(*words(navigation_run, unfinished, "--resume", *options))
    assert "is no unfinished test (not a regular file): pass --overwrite" in said


def test_a_batch_that_could_not_be_kept_is_not_said_to_be(
    command: Command, navigation_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    written: list[Path] = []

    def interrupted(path: Path, content: Any) -> None:
        if written:
            signal.raise_signal(signal.SIGTERM)
        written.append(path)
        write_atomically(path, content)

    monkeypatch.setattr("maml_rl.evaluation.unfinished.write_atomically", interrupted)
    assert "no batch was finished" in command(*words(navigation_run, tmp_path / "r.npz")).err
    assert not contents(tmp_path)


@pytest.mark.parametrize("place", ["file/r.npz", "a" * 250 + ".npz"])
def test_what_cannot_be_written_is_known_before_anything_is_sampled(
    command: Command, navigation_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
):
    (tmp_path / "file").touch()
    with stopped_after(0, monkeypatch):
        assert "cannot write" in command.fails(*words(navigation_run, tmp_path / place))


def test_progress_is_a_line_per_batch(command: Command, navigation_run: Path, tmp_path: Path):
    said = command.succeeds(*words(navigation_run, tmp_path / "r.npz")).splitlines()
    assert [line.split()[:3] for line in said[:4]] == [["batch", f"{i}/4", "policy"] for i in range(1, 5)]
    quiet = command.succeeds(*words(navigation_run, tmp_path / "q.npz", "--quiet"))
    assert "batch" not in quiet


@pytest.mark.slow
def test_a_process_of_its_own(navigation_run: Path, tmp_path: Path):
    """Ctrl-C in a process with workers: nothing but the line, and batches to go on with."""
    options = ("--num-batches", 100000, "--num-workers", 2)
    process = started(*words(navigation_run, tmp_path / "r.npz", *options), lines=3)
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    assert err == "maml-rl: interrupted by SIGINT; finished batches are kept: go on with --resume\n"
    assert unfinished_path(tmp_path / "r.npz").exists()


def test_interruptions_say_what_they_are():
    assert str(Interrupted("interrupted by SIGHUP", 129)) == "interrupted by SIGHUP"
