"""Runs whose files are damaged, moved or replaced: nothing is used without a word, and nothing is lost."""

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maml_rl.cli import main
from maml_rl.training import RunFolder
from maml_rl.training.folder import Replaceable
from maml_rl.training.metrics import Iteration
from tests.cli.helpers import ROOT, TABULAR, Command, contents, power_cut, read_metrics, results

SIZES = ("--num-batches", 7, "--meta-batch-size", 3, "--fast-batch-size", 4)
OPTIONS = ("--num-workers", 0, "--checkpoint-every", 3, "--keep-checkpoints", 2, "--logger", "none")
RUN = ("train", "--config", TABULAR, *SIZES, *OPTIONS, "--seed", 4)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run never stopped; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    main([str(x) for x in (*RUN, "--output-folder", folder)])
    return folder


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run without power after six updates: checkpoints 3 and 6; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "stopped"
    with pytest.MonkeyPatch.context() as patch, power_cut(patch, 6):
        main([str(x) for x in (*RUN, "--output-folder", folder)])
    return folder


@pytest.fixture
def run(stopped: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    shutil.copytree(stopped, tmp_path / "run")
    return tmp_path / "run"


def resumed(command: Command, run: Path) -> None:
    command.succeeds("train", "--resume", run, *OPTIONS)


def refused(command: Command, run: Path, *arguments: object) -> str:
    """Return the one line; not a byte of the folder has changed."""
    before = contents(run)
    line = command.fails(*(arguments or ("train", "--resume", run, *OPTIONS)))
    assert contents(run) == before
    return line


def edit(path: Path, change: Callable[[str], str]) -> None:
    text = path.read_text()
    path.write_text(change(text))
    assert path.read_text() != text


def edit_row(path: Path, number: int, change: Callable[[str], str]) -> None:
    lines = path.read_text().splitlines(keepends=True)
    changed = change(lines[number])
    assert changed != lines[number]
    path.write_text("".join([*lines[:number], changed, *lines[number + 1 :]]))


def make_older(run: Path) -> None:
    """Leave the checkpoints that a version without digests of manifests would have written."""
    for path in (run / "checkpoints").glob("*.json"):
        entries = json.loads(path.read_text())
        del entries["manifest_sha256"], entries["metrics_sha256"]
        path.write_text(json.dumps(entries))


def other_digit(row: str) -> str:
    """Change the last digit."""
    return f"{row.rstrip()[:-1]}{(int(row.rstrip()[-1]) + 1) % 10}\n"


DAMAGES: dict[str, Callable[[str], str]] = {
    "a digit": other_digit,
    "a letter": lambda row: row.replace(".", "n", 1),
    "a column less": lambda row: row.replace(",", "", 1),
    "a column more": lambda row: row.replace(",", ",0,", 1),
    "another number": lambda row: f"9{row}",
    "half": lambda row: f"{row[: len(row) // 2]}\n",
    "two rows": lambda row: row.replace(",", "\n", 1),
    "empty": lambda row: "\n",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_row_costs_the_updates_behind_the_checkpoint_before_it(
    command: Command, caplog: pytest.LogCaptureFixture, whole: Path, run: Path, damage: str
):
    edit_row(run / "metrics.csv", 5, DAMAGES[damage])
    resumed(command, run)
    message, onward = (record.message for record in caplog.records)
    assert "going on from" in onward
    assert "000006.json' cannot be used (" in message
    assert "metrics.csv' is damaged" in message
    assert results(run) == results(whole)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("row", [0, 2])
def test_a_damaged_row_before_every_checkpoint_is_one_line(
    command: Command, run: Path, damage: str, row: int
):
    if row == 0 and damage not in ("a column less", "half", "empty"):
        damage = "a column less"
    edit_row(run / "metrics.csv", row, DAMAGES[damage])
    line = refused(command, run)
    assert "holds no whole checkpoint to resume from: " in line
    assert "metrics.csv' is damaged: " in line
    assert "put a copy of it in its place" in line


@pytest.mark.parametrize("damage", [damage for damage in DAMAGES if damage != "a digit"])
@pytest.mark.parametrize("file", ["metrics.csv", "timings.csv"])
def test_rows_that_are_none_are_found_without_a_digest(command: Command, run: Path, file: str, damage: str):
    make_older(run)
    edit_row(run / file, 2, DAMAGES[damage])
    assert f"{file}' is damaged: row 2 is not " in refused(command, run)


@pytest.mark.parametrize(
    ("old", "new"), [("return_1", "return_3"), ("return_1", "return_0"), ("iteration", "iterauion")]
)
@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
def test_a_damaged_header_is_said_to_be_damage(command: Command, run: Path, old: str, new: str, older: bool):
    if older:
        make_older(run)
    edit(run / "metrics.csv", lambda text: text.replace(old, new, 1))
    line = refused(command, run)
    assert "metrics.csv' is damaged: " in line or "does not write (return_3): it is damaged, or" in line
    assert older or "version" not in line


def test_a_damaged_header_of_timings(command: Command, run: Path):
    edit(run / "timings.csv", lambda text: text.replace("seconds", "seconda", 1))
    assert "does not write (seconda_sampling): it is damaged, or" in refused(command, run)


@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
@pytest.mark.parametrize(
    ("key", "value", "told"),
    [("fast-lr", 0.7, "fast-lr was 0.5, is 0.7"), ("seed", 5, "seed was 4, is 5")],
)
def test_a_damaged_config_does_not_become_the_runs(
    command: Command, run: Path, key: str, value: Any, told: str, older: bool
):
    if older:
        make_older(run)
    edit(run / "config.json", lambda text: json.dumps(json.loads(text) | {key: value}))
    line = refused(command, run)
    assert told in line
    assert "correct config.json" in line


def test_steps_that_are_not_those_of_the_rows(
    command: Command, caplog: pytest.LogCaptureFixture, whole: Path, run: Path
):
    make_older(run)
    manifest = run / "checkpoints" / "000006.json"
    edit(manifest, lambda text: json.dumps(json.loads(text) | {"env_steps": 1}))
    resumed(command, run)
    assert "its env_steps is 1, that of" in caplog.text
    assert results(run) == results(whole)


def test_a_run_of_an_older_version_goes_on(
    command: Command, caplog: pytest.LogCaptureFixture, whole: Path, run: Path
):
    make_older(run)
    resumed(command, run)
    assert not caplog.records
    changed = "checkpoints/best.json"  # Not all of its digests are known any more.
    assert results(run) | {changed: b""} == results(whole) | {changed: b""}


def test_the_run_that_waits_for_its_end_in_the_repository_can_be_resumed(command: Command, tmp_path: Path):
    source = ROOT / "benchmarks" / "metalearners" / "results" / "promp-halfcheetah-dir" / "seed-1"
    shutil.copytree(source, tmp_path / "run")
    options = ("--num-batches", 261, "--num-workers", 0, "--logger", "none")
    command.succeeds("train", "--resume", tmp_path / "run", *options)
    for name in ("metrics.csv", "timings.csv"):
        assert (tmp_path / "run" / name).read_bytes() == (source / name).read_bytes()


def test_what_a_killed_process_left_is_cleared_when_the_run_goes_on(command: Command, whole: Path, run: Path):
    left = [run / ".policy.th-abcd_123", run / "checkpoints" / ".000006.th-0123abcd"]
    for path in left:
        path.write_bytes(b"half")
    refused(command, run, "train", "--resume", run, "--fast-lr", 3)
    resumed(command, run)
    assert results(run) == results(whole)


def test_a_refusal_leaves_no_lock_behind(command: Command, run: Path):
    (run / ".lock").unlink()
    refused(command, run, "train", "--resume", run, "--fast-lr", 3)
    edit_row(run / "metrics.csv", 1, other_digit)
    refused(command, run)


def after_update(monkeypatch: pytest.MonkeyPatch, number: int, act: Callable[[], object]) -> None:
    """Have something happen to a run's folder behind its back, after an update."""
    write = RunFolder.write_iteration

    def then_act(self: RunFolder, iteration: Iteration) -> None:
        write(self, iteration)
        if iteration.number == number:
            act()

    monkeypatch.setattr(RunFolder, "write_iteration", then_act)


@pytest.mark.parametrize("logger", ["none", "tensorboard"])
def test_a_folder_that_moves_away_is_noticed_and_none_is_made_in_its_place(
    command: Command, monkeypatch: pytest.MonkeyPatch, whole: Path, tmp_path: Path, logger: str
):
    folder, moved = tmp_path / "run", tmp_path / "moved"
    with monkeypatch.context() as patch:
        after_update(patch, 4, lambda: folder.rename(moved))
        outcome = command(*RUN, "--logger", logger, "--output-folder", folder)
    assert outcome.status == 2
    assert "was moved, removed or replaced while the run wrote to it" in outcome.err.splitlines()[0]
    assert len(outcome.err.splitlines()) == 1
    assert not folder.exists()
    assert len(read_metrics(moved)) == 4
    resumed(command, moved)
    assert results(moved) == results(whole)


@pytest.mark.parametrize("where", ["", "metrics.csv", "timings.csv"])
def test_files_that_are_removed_are_noticed(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str
):
    folder = tmp_path / "run"

    def remove() -> None:
        path = folder / where
        path.unlink() if where else shutil.rmtree(path)

    after_update(monkeypatch, 7, remove)  # The last one: a checkpoint is what follows.
    outcome = command(*RUN, "--output-folder", folder)
    assert outcome.status == 2
    assert "was moved, removed or replaced" in outcome.err
    assert bool(where) == folder.exists()


def test_a_run_that_another_finished_in_the_meantime_is_not_replaced(
    command: Command, monkeypatch: pytest.MonkeyPatch, whole: Path, tmp_path: Path
):
    folder, check = tmp_path / "run", RunFolder.check_free

    def then_another_runs(self: RunFolder, replaceable: Replaceable) -> None:
        check(self, replaceable)
        if not folder.exists():
            shutil.copytree(whole, folder)
            (folder / ".lock").unlink()

    monkeypatch.setattr(RunFolder, "check_free", then_another_runs)
    line = command.fails(*RUN, "--output-folder", folder)
    assert "holds another run (config.json, policy.th, metrics.csv, checkpoints)" in line
    assert contents(folder).keys() == contents(whole).keys() - {".lock"}


def test_a_column_of_returns_with_another_name_is_one_line(command: Command, run: Path):
    edit(run / "metrics.csv", lambda text: text.replace("return_1", "returm_1", 1))
    line = refused(command, run, "info", run)
    assert "metrics.csv' is not a table of metrics" in line
    assert "it has no column return_1" in line


def test_checkpoints_are_listed_by_number(command: Command, run: Path):
    for end in ("json", "th"):
        shutil.copy(run / "checkpoints" / f"000006.{end}", run / "checkpoints" / f"1000000.{end}")
    assert "000003, 000006, 1000000, best" in command.succeeds("info", run)


@pytest.mark.parametrize("kind", ["a pipe", "a device"])
@pytest.mark.parametrize("file", ["config.json", "metrics.csv", "timings.csv", "policy.th", "tasks.yaml"])
def test_what_is_no_file_keeps_nobody_waiting(command: Command, run: Path, file: str, kind: str):
    path = run / file
    path.unlink(missing_ok=True)
    if kind == "a pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    commands: dict[str, list[object]] = {
        "policy.th": ["test", "--config", run / "config.json", "--policy", path],
        "tasks.yaml": [
            *("test", "--config", run / "config.json", "--policy", run / "policy.th"),
            *("--tasks", path, "--num-workers", 0),
        ],
    }
    line = command.fails(*commands.get(file, ["info", run]))
    assert f"{file}': not a regular file" in line


@pytest.mark.timeout(60)
@pytest.mark.parametrize("what", ["plot", "report"])
def test_metrics_that_are_a_pipe_are_not_drawn(command: Command, run: Path, what: str):
    (run / "metrics.csv").unlink()
    os.mkfifo(run / "metrics.csv")
    assert "metrics.csv': not a regular file" in command.fails(what, run)


def damaged(content: bytes, chance: random.Random) -> bytes:
    """Flip a bit, change or lose bytes, or have some twice."""
    at, changed = chance.randrange(len(content)), bytearray(content)
    kind = chance.choice(["bit", "bit", "byte", "cut", "zeros", "twice"])
    if kind == "bit":
        changed[at] ^= 1 << chance.randrange(8)
    elif kind == "byte":
        changed[at] = chance.randrange(256)
    elif kind == "cut":
        del changed[at:]
    elif kind == "zeros":
        changed[at : at + 16] = bytes(len(changed[at : at + 16]))
    else:
        changed[at:at] = changed[max(0, at - 20) : at]
    return bytes(changed)


@pytest.mark.parametrize(
    "seed", [*range(8), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(8, 24))]
)
def test_any_damage_is_mended_or_refused(command: Command, whole: Path, run: Path, seed: int):
    chance = random.Random(seed)
    name = chance.choice(sorted(contents(run).keys() - {".lock"}))
    (run / name).write_bytes(damaged((run / name).read_bytes(), chance))
    before = contents(run)
    outcome = command("train", "--resume", run, *OPTIONS)
    if outcome.status == 0:
        for file in ("metrics.csv", "policy.th"):
            assert (run / file).read_bytes() == (whole / file).read_bytes()
    else:
        assert outcome.status == 2
        assert len(outcome.err.splitlines()) == 1
        assert contents(run) == before
