"""Runs that stop, however they stop, and go on."""

import json
from pathlib import Path

import pytest

from maml_rl import __version__
from maml_rl.config import load_config, parse_config
from tests.cli.helpers import (
    TABULAR,
    Command,
    contents,
    power_cut,
    read_config,
    read_metrics,
    results,
)
from tests.cli.processes import training, wait_until_alone
from tests.waiting import PATIENCE

RUN = ("train", "--config", TABULAR, "--num-batches", 7, "--meta-batch-size", 3, "--fast-batch-size", 4)
OPTIONS = ("--num-workers", 0, "--checkpoint-every", 3, "--keep-checkpoints", 2)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run never stopped; not to be changed."""
    from maml_rl.cli import main

    folder = tmp_path_factory.mktemp("runs") / "whole"
    main([str(x) for x in (*RUN, *OPTIONS, "--seed", 4, "--output-folder", folder)])
    return folder


def cut_short(command: Command, monkeypatch: pytest.MonkeyPatch, folder: Path, after: int) -> None:
    """Train as `whole` did, and stop without any farewell when ``after`` meta-updates are written."""
    with power_cut(monkeypatch, after):
        command(*RUN, *OPTIONS, "--seed", 4, "--output-folder", folder)


def test_a_run_keeps_its_last_checkpoints_and_the_best(whole: Path):
    names = {path.name for path in (whole / "checkpoints").iterdir()}
    assert names == {f"{stem}{end}" for stem in ("000006", "000007", "best") for end in (".json", ".th")}
    assert (whole / "checkpoints" / "000007.th").read_bytes() == (whole / "policy.th").read_bytes()


def test_a_checkpoint_tells_where_it_comes_from(whole: Path):
    manifest = json.loads((whole / "checkpoints" / "000006.json").read_text())
    assert manifest["version"] == __version__
    assert manifest["config"]["seed"] == 4
    assert parse_config(manifest["config"], "checkpoint") == load_config(whole / "config.json")[0]


def test_the_best_checkpoint_is_the_policy_that_had_the_best_return(whole: Path):
    returns = [float(row["return_1"]) for row in read_metrics(whole)]
    best = json.loads((whole / "checkpoints" / "best.json").read_text())
    assert best["best_return"] == pytest.approx(max(returns), rel=1e-5)
    assert best["iteration"] == returns.index(max(returns))  # That batch was sampled before its update.


@pytest.mark.parametrize("after", range(8))
def test_a_run_cut_short_anywhere_ends_as_if_it_had_not_been(
    command: Command, monkeypatch: pytest.MonkeyPatch, whole: Path, tmp_path: Path, after: int
):
    folder = tmp_path / "cut"
    if after < 7:
        cut_short(command, monkeypatch, folder, after)
    else:
        command.succeeds(*RUN, *OPTIONS, "--seed", 4, "--output-folder", folder)
    command.succeeds("train", "--resume", folder, *OPTIONS)
    assert results(folder) == results(whole)
    assert read_config(folder)["config"] == str(TABULAR)
    timings = (folder / "timings.csv").read_text().splitlines()
    assert [line.partition(",")[0] for line in timings] == ["iteration", *"1234567"]


def test_a_row_that_was_half_written_is_written_anew(
    command: Command, monkeypatch: pytest.MonkeyPatch, whole: Path, tmp_path: Path
):
    cut_short(command, monkeypatch, tmp_path, 4)
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("5,1200,9.")
    command.succeeds("train", "--resume", tmp_path, *OPTIONS)
    assert results(tmp_path) == results(whole)


@pytest.mark.parametrize("damage", ["torn", "empty", "flipped", "gone", "manifest torn", "manifest odd"])
def test_a_damaged_checkpoint_is_reported_and_the_one_before_it_used(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    whole: Path,
    tmp_path: Path,
    damage: str,
):
    cut_short(command, monkeypatch, tmp_path, 6)
    state = tmp_path / "checkpoints" / "000006.th"
    content = state.read_bytes()
    if damage == "torn":
        state.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        state.write_bytes(b"")
    elif damage == "flipped":
        state.write_bytes(content[:600] + bytes([content[600] ^ 1]) + content[601:])
    elif damage == "gone":
        state.unlink()
    else:
        odd = '{"iteration": 6' if damage == "manifest torn" else '{"sha256": 1, "what": 2}'
        state.with_suffix(".json").write_text(odd)
    command.succeeds("train", "--resume", tmp_path, *OPTIONS)
    assert "000006.json' cannot be used (" in caplog.text
    assert results(tmp_path) == results(whole)


def test_without_a_whole_checkpoint_there_is_nothing_to_resume(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    cut_short(command, monkeypatch, tmp_path, 2)
    for path in (tmp_path / "checkpoints").glob("*.th"):
        path.write_bytes(b"")
    before = contents(tmp_path)
    assert "holds no whole checkpoint to resume from" in command.fails("train", "--resume", tmp_path)
    assert contents(tmp_path) == before


def test_num_batches_may_grow(command: Command, whole: Path, tmp_path: Path):
    short = [3 if word == 7 else word for word in RUN]
    command.succeeds(*short, *OPTIONS, "--seed", 4, "--output-folder", tmp_path)
    command.succeeds("train", "--resume", tmp_path, "--num-batches", 7, *OPTIONS)
    best = "checkpoints/best.json"  # It notes the config of its time.
    grown, never_stopped = (json.loads((folder / best).read_text()) for folder in (tmp_path, whole))
    assert grown.pop("config") | {"num-batches": 7} == never_stopped.pop("config")
    assert grown == never_stopped
    assert results(tmp_path) | {best: b""} == results(whole) | {best: b""}
    assert read_config(tmp_path)["num-batches"] == 7


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--fast-lr", 2, "--max-kl", 0.5], "fast-lr was 0.5, is 2.0; max-kl was 0.01, is 0.5"),
        (["--seed", 5], "seed was 4, is 5"),
        (["--num-batches", 5], "has made 7 meta-updates, more than num-batches (5)"),
        (["--output-folder", "elsewhere"], "leave out --output-folder"),
        (["--overwrite"], "leave out --output-folder and --overwrite"),
        (["--checkpoint-every", 0], "checkpoint-every: expected 1 or more, got 0"),
        (["--keep-checkpoints", 0], "keep-checkpoints: expected 1 or more, got 0"),
        (["--worker-timeout", 0], "worker-timeout: expected more than 0 seconds, got 0"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_a_resumed_run_cannot_change(
    command: Command, whole: Path, options: list[object], complaint: str
):
    before = contents(whole)
    assert complaint in command.fails("train", "--resume", whole, *options)
    assert contents(whole) == before


def test_metrics_that_lack_rows_are_refused(command: Command, whole: Path, tmp_path: Path):
    for name, content in contents(whole).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    lines = (tmp_path / "metrics.csv").read_text().splitlines(keepends=True)
    (tmp_path / "metrics.csv").write_text("".join(lines[:4]))
    line = command.fails("train", "--resume", tmp_path, "--num-batches", 9)
    assert "metrics.csv' has fewer rows than the 7 meta-updates" in line


def test_a_killed_run_resumes(command: Command, tmp_path: Path):
    process = training(tmp_path / "killed", "--num-workers", 2, "--checkpoint-every", 3)
    process.kill()
    process.communicate(timeout=PATIENCE)
    wait_until_alone(process)
    done = len(read_metrics(tmp_path / "killed"))
    command.succeeds("train", "--resume", tmp_path / "killed", "--num-batches", done + 2, "--num-workers", 0)
    words = [done + 2 if word == 7 else word for word in RUN]
    command.succeeds(*words, "--num-workers", 0, "--seed", 4, "--output-folder", tmp_path / "whole")
    for name in ("metrics.csv", "policy.th"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
