import shutil
from pathlib import Path
from typing import Any

import pytest

from maml_rl.viz.learning_curve import Axis, plot_learning_curves
from maml_rl.viz.style import COLORS
from tests.cli.helpers import Command, contents
from tests.viz.files import assert_picture


def test_a_learning_curve(command: Command, tabular_run: Path, tmp_path: Path):
    before = contents(tabular_run)
    out = command.succeeds("plot", tabular_run, "--output", tmp_path)
    assert out.split() == [str(tmp_path / "learning-curve.png")]
    assert set(contents(tmp_path)) == {"learning-curve.png"}
    assert_picture(tmp_path / "learning-curve.png")
    assert contents(tabular_run) == before


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_navigation_has_paths_too(command: Command, navigation_run: Path, tmp_path: Path, kind: str):
    options = ("--output", tmp_path / "new" / "folder", "--format", kind, "--num-steps", 2)
    out = command.succeeds("plot", navigation_run, *options)
    pictures = [tmp_path / "new" / "folder" / f"{name}.{kind}" for name in ("learning-curve", "paths")]
    assert out.split() == [str(path) for path in pictures]
    for picture in pictures:
        assert_picture(picture)


def test_there_may_be_more_gradient_steps_than_colours(
    command: Command, navigation_run: Path, tmp_path: Path
):
    command.succeeds("plot", navigation_run, "--output", tmp_path, "--num-steps", len(COLORS) + 1)
    assert_picture(tmp_path / "paths.png")


def test_the_pictures_go_to_the_runs_folder_unless_told_otherwise(
    command: Command, navigation_run: Path, tmp_path: Path
):
    shutil.copytree(navigation_run, tmp_path, dirs_exist_ok=True)
    command.succeeds("plot", tmp_path)
    assert set(contents(tmp_path)) - set(contents(navigation_run)) == {"learning-curve.png", "paths.png"}


def test_several_runs_share_a_picture(
    command: Command, tabular_run: Path, navigation_run: Path, tmp_path: Path
):
    command.succeeds("plot", tabular_run, navigation_run, "--format", "svg", "--output", tmp_path / "both")
    command.succeeds("plot", tabular_run, "--format", "svg", "--output", tmp_path / "one")
    both, one = (tmp_path / name / "learning-curve.svg" for name in ("both", "one"))
    assert both.stat().st_size > 1.1 * one.stat().st_size
    assert not (tmp_path / "both" / "paths.svg").exists()  # The first of the runs is not of navigation.


def test_runs_that_differ_in_their_seed_are_one_curve(
    command: Command, tabular_run: Path, navigation_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn: dict[str, Any] = {}

    def keep(runs: dict[str, Any], axis: Axis) -> object:
        drawn.update(runs, axis=axis)
        return plot_learning_curves(runs, axis)

    monkeypatch.setattr("maml_rl.viz.pictures.plot_learning_curves", keep)
    shutil.copytree(tabular_run, tmp_path / "again")
    runs = (tabular_run, navigation_run, tmp_path / "again")
    command.succeeds("plot", *runs, "--output", tmp_path, "--x", "env-steps")
    assert {name: len(members) for name, members in drawn.items() if name != "axis"} == {
        "tabular (2 seeds)": 2,
        "navigation": 1,
    }
    assert drawn["axis"] == "env_steps"


def test_runs_of_the_same_name_are_told_apart(
    command: Command, tabular_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    drawn: dict[str, object] = {}

    def keep(runs: dict[str, Any], axis: Axis) -> object:
        drawn.update(runs)
        return plot_learning_curves(runs, axis)

    monkeypatch.setattr("maml_rl.viz.pictures.plot_learning_curves", keep)
    folders = [tmp_path / seed / "run" for seed in ("1", "2")]
    for folder in folders:
        shutil.copytree(tabular_run, folder)
    config = folders[1] / "config.json"
    config.write_text(config.read_text().replace('"gamma": 0.95', '"gamma": 0.9'))
    command.succeeds("plot", *folders, "--output", tmp_path)
    assert list(drawn) == ["1/run", "2/run"]
    drawn.clear()
    monkeypatch.chdir(folders[0])
    command.succeeds("plot", ".")
    assert list(drawn) == ["run"]


def test_the_seed_chooses_the_goals_of_the_paths(command: Command, navigation_run: Path, tmp_path: Path):
    def paths(seed: int, name: str) -> bytes:
        command.succeeds("plot", navigation_run, "--seed", seed, "--output", tmp_path / name)
        return (tmp_path / name / "paths.png").read_bytes()

    assert paths(1, "a") == paths(1, "b")
    assert paths(1, "a") != paths(2, "c")
