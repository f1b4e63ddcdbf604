"""Files that appear whole, and checkpoints among them."""

import json
from pathlib import Path

import pytest

from maml_rl._system.files import Tensors, load_tensors, write_atomically
from maml_rl.errors import UsageError
from maml_rl.training.checkpoints import Checkpoints, Progress
from maml_rl.training.state import theta_tensors
from tests.builders import make_policy, same_bits


def test_an_interrupt_behind_the_last_moment_is_still_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    replace = Path.replace

    def interrupted(self: Path, target: Path) -> None:
        replace(self, target)
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(tmp_path / "file", lambda file: file.write(b"whole"))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def state(seed: int = 0) -> Tensors:
    policy = make_policy("normal", seed)
    return theta_tensors(policy.layout, policy.get_vector())


def checkpoints(folder: Path, keep: int, *iterations: int) -> Checkpoints:
    made = Checkpoints(folder, keep, {})
    for iteration in iterations:
        made.save(state(iteration), Progress(iteration))
    return made


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_damaged_checkpoints_do_not_push_out_whole_ones(tmp_path: Path):
    checkpoints(tmp_path, 3, 20, 30, 40)
    (tmp_path / "000040.th").write_bytes(b"torn")
    resumed = Checkpoints(tmp_path, 1, {})
    loaded, progress = resumed.load_newest(load_tensors)
    assert progress == Progress(30)
    resumed.save(loaded, Progress(30))
    assert names(tmp_path) == ["000030.json", "000030.th"]
    again, progress = resumed.load_newest(load_tensors)
    assert progress == Progress(30)
    assert list(loaded) == list(again) == list(state(30))
    assert all(same_bits(loaded[name], x) and same_bits(again[name], x) for name, x in state(30).items())


def test_a_folders_other_files_stay(tmp_path: Path):
    made = checkpoints(tmp_path, 2, 10, 20)
    made.save_best(state(), Progress(10))
    (tmp_path / "000030.th").touch()  # As a crash leaves it, before its manifest is written.
    (tmp_path / "mine.th").touch()
    (tmp_path / "notes.json").write_text(json.dumps({}))
    made.remove()
    assert names(tmp_path) == ["mine.th", "notes.json"]


def test_checkpoints_that_cannot_be_removed(tmp_path: Path):
    made = checkpoints(tmp_path, 2, 10)
    (tmp_path / "000010.th").unlink()
    (tmp_path / "000010.th").mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        made.remove()
