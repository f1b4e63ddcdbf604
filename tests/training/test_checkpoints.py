"""Checkpoints whose manifests are damaged, and many of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from maml_rl._system.files import load_tensors
from maml_rl.errors import UsageError
from maml_rl.training.checkpoints import Checkpoints, OtherConfigError, Progress, numbered
from maml_rl.training.state import theta_tensors
from tests.builders import make_policy

ORIGIN = {"version": "1", "config": {"fast-lr": 0.5, "num-batches": 9, "seed": 1}}
FOURTH = Progress(4, 400, -2.5, "4" * 64)
SIXTH = Progress(6, 600, -1.5, "6" * 64)


@pytest.fixture
def two(tmp_path: Path) -> Checkpoints:
    made = Checkpoints(tmp_path, 2, ORIGIN)
    policy = make_policy("normal")
    for progress in (FOURTH, SIXTH):
        made.save(theta_tensors(policy.layout, policy.get_vector()), progress)
    return made


def change(path: Path, **entries: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


def make_older(path: Path) -> None:
    """Leave what a version without digests of manifests would have written."""
    entries = json.loads(path.read_text())
    del entries["manifest_sha256"], entries["metrics_sha256"]
    path.write_text(json.dumps(entries))


def newest(checkpoints: Checkpoints) -> Progress:
    return checkpoints.load_newest(load_tensors)[1]


WRONG = [
    *[{"iteration": value} for value in (4, 0, True, -1, 2.0, 6.0, "6", None, [6])],
    *[{"env_steps": value} for value in (-1, True, 600.0, "600", None)],
    *[{"best_return": value} for value in (True, "high", [1.0], 1)],
    {"sha256": "0" * 64},
    {"config": 3},
    {"config": [1]},
    {"iteratiom": 6},
]


@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_manifest_that_says_something_odd_is_damaged(
    tmp_path: Path, two: Checkpoints, caplog: pytest.LogCaptureFixture, wrong: dict[str, Any], older: bool
):
    if older:
        make_older(tmp_path / "000006.json")
    change(tmp_path / "000006.json", **wrong)
    assert newest(two) == FOURTH
    message, onward = (record.message for record in caplog.records)
    assert "going on from" in onward
    assert "000006.json' cannot be used (" in message


@pytest.mark.parametrize("content", ["", "[" * 100_000, "[]", "6", "\x00", '{"iteration": 6}'])
def test_what_is_no_manifest(tmp_path: Path, two: Checkpoints, content: str):
    (tmp_path / "000006.json").write_text(content)
    assert newest(two) == FOURTH


def test_a_flipped_bit_of_a_manifest_is_found_or_changes_nothing(tmp_path: Path, two: Checkpoints):
    path = tmp_path / "000006.json"
    content = path.read_bytes()
    harmless = 0
    for bit in range(0, 8 * len(content), 11):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        progress = newest(two)
        assert progress in (FOURTH, SIXTH)
        harmless += progress == SIXTH
    assert harmless < 10  # Blanks between entries.


def test_older_manifests_still_load(tmp_path: Path, two: Checkpoints):
    make_older(tmp_path / "000006.json")
    assert newest(two) == Progress(6, 600, -1.5)
    entries = json.loads((tmp_path / "000006.json").read_text())
    del entries["version"], entries["config"]
    (tmp_path / "000006.json").write_text(json.dumps(entries))
    assert newest(two) == Progress(6, 600, -1.5)


@pytest.mark.parametrize("missing", ["manifest_sha256", "metrics_sha256"])
def test_a_new_manifest_needs_its_digests(tmp_path: Path, two: Checkpoints, missing: str):
    path = tmp_path / "000006.json"
    entries = json.loads(path.read_text())
    del entries[missing]
    path.write_text(json.dumps(entries))
    assert newest(two) == FOURTH


@pytest.mark.parametrize("older", [False, True], ids=["new", "older"])
@pytest.mark.parametrize("key", ["fast-lr", "seed"])
def test_a_run_with_another_config_is_told(tmp_path: Path, two: Checkpoints, key: str, older: bool):
    if older:
        make_older(tmp_path / "000006.json")
    config = ORIGIN["config"]
    assert isinstance(config, dict)
    other = Checkpoints(tmp_path, 2, {"config": config | {key: 7}})
    with pytest.raises(OtherConfigError, match=rf"000006.json' differ.*\({key} was {config[key]}, is 7\)"):
        newest(other)


def test_the_number_of_updates_and_keys_of_one_version_alone_may_differ(tmp_path: Path, two: Checkpoints):
    config = {"fast-lr": 0.5, "num-batches": 12, "brand-new": True, "seed": 1}
    assert newest(Checkpoints(tmp_path, 2, {"version": "2", "config": config})) == SIXTH


def test_what_does_not_agree_with_the_rest_of_the_folder_is_damaged(
    two: Checkpoints, caplog: pytest.LogCaptureFixture
):
    def check(progress: Progress) -> None:
        if progress.iteration == 6:
            raise UsageError("there is no row 6")

    assert two.load_newest(load_tensors, check)[1] == FOURTH
    assert "cannot be used (there is no row 6)" in caplog.text


def test_the_reason_is_that_of_the_newest(two: Checkpoints):
    def check(progress: Progress) -> None:
        raise UsageError(f"no rows for {progress.iteration}")

    with pytest.raises(UsageError, match="holds no whole checkpoint to resume from: no rows for 6"):
        two.load_newest(load_tensors, check)


def test_a_million_updates(tmp_path: Path):
    made = Checkpoints(tmp_path, 2, {})
    for iteration in (999_990, 1_000_000, 1_000_010):
        made.save({}, Progress(iteration))
    assert [path.stem for path in numbered(tmp_path)] == ["1000000", "1000010"]
    assert newest(made) == Progress(1_000_010)


def test_a_pipe_in_place_of_a_checkpoint_keeps_nobody_waiting(tmp_path: Path, two: Checkpoints):
    (tmp_path / "000006.th").unlink()
    (tmp_path / "000006.th").symlink_to("/dev/null")
    assert newest(two) == FOURTH
