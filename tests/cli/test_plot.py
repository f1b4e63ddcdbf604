import shutil
from pathlib import Path
from typing import Any

import pytest

from maml_rl.config import Config
from maml_rl.training.groups import RunGroup
from maml_rl.viz.learning_curve import Axis, plot_learning_curves
from maml_rl.viz.pictures import _labels
from maml_rl.viz.style import COLORS
from maml_rl.zoo import shipped_policies
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
    both, one = ((tmp_path / name / "learning-curve.svg").read_text() for name in ("both", "one"))
    assert [color in both for color in COLORS[:3]] == [True, True, False]
    assert [color in one for color in COLORS[:3]] == [True, False, False]
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
    assert list(drawn) == ["1/run (gamma 0.95)", "2/run (gamma 0.9)"]
    drawn.clear()
    monkeypatch.chdir(folders[0])
    command.succeeds("plot", ".")
    assert list(drawn) == ["run"]


def test_legends_of_sweeps_name_what_differs(tmp_path: Path):
    def run(name: str, **keys: object) -> RunGroup:
        return RunGroup(Config(env_name="2DNavigation-v0", **keys), [tmp_path / name])

    step, other = run("a"), run("b", fast_lr=0.5)
    assert _labels([step, other]) == ["a (fast-lr 0.1)", "b (fast-lr 0.5)"]
    step.folders.append(tmp_path / "c")
    assert _labels([step, other]) == ["a (fast-lr 0.1, 2 seeds)", "b (fast-lr 0.5)"]
    methods = [run("a", metalearner="promp", clip=0.2), run("b")]
    assert _labels(methods) == ["a (metalearner promp)", "b (metalearner maml-trpo)"]
    many = [run("a"), run("b", fast_lr=0.5, gamma=0.9, gae_lambda=0.9, num_steps=2)]
    assert _labels(many) == ["a", "b"]
    assert _labels([run("a")]) == ["a"]
    seeds = [run("x/seed-1"), run("x/seed-2", fast_lr=0.5)]
    assert _labels(seeds) == ["seed-1 (fast-lr 0.1)", "seed-2 (fast-lr 0.5)"]
    seeds[0].folders.append(tmp_path / "x" / "seed-3")
    assert _labels(seeds[:1]) == ["x (2 seeds)"]


def test_the_seed_chooses_the_goals_of_the_paths(command: Command, navigation_run: Path, tmp_path: Path):
    def paths(seed: int, name: str) -> bytes:
        command.succeeds("plot", navigation_run, "--seed", seed, "--output", tmp_path / name)
        return (tmp_path / name / "paths.png").read_bytes()

    assert paths(1, "a") == paths(1, "b")
    assert paths(1, "a") != paths(2, "c")


def test_runs_that_ship(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    before = contents(shipped_policies()["paper/navigation"])
    out = command.succeeds("plot", "maml-rl://paper/navigation")
    assert out.split() == ["learning-curve.png", "paths.png"]
    for name in out.split():
        assert_picture(tmp_path / name)
    said = command.succeeds("info", "maml-rl://paper/navigation")
    assert "2DNavigation-v0" in said
    assert "after adaptation" in said
    video = command.succeeds("render", "maml-rl://paper/navigation", "--num-steps", 1, "--size", 200)
    assert Path(video.strip()).stem == "adaptation"
    assert (tmp_path / video.strip()).stat().st_size > 1000
    for words in (("plot",), ("info",), ("render",)):
        assert "no policy 'paper/nav' ships" in command.fails(*words, "maml-rl://paper/nav")
    assert contents(shipped_policies()["paper/navigation"]) == before


def test_a_folder_of_runs_has_a_curve_per_setting(
    command: Command, tabular_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Any
):
    drawn: dict[str, Any] = {}

    def keep(runs: dict[str, Any], axis: Axis) -> object:
        drawn.update(runs)
        return plot_learning_curves(runs, axis)

    monkeypatch.setattr("maml_rl.viz.pictures.plot_learning_curves", keep)
    for setting, seed in (("gamma=0.95", 1), ("gamma=0.95", 2), ("gamma=0.5", 1)):
        folder = tmp_path / setting / f"seed-{seed}"
        shutil.copytree(tabular_run, folder)
        text = (folder / "config.json").read_text()
        (folder / "config.json").write_text(text.replace('"gamma": 0.95', f'"gamma": {setting[6:]}'))
    waiting = tmp_path / "gamma=0.5" / "seed-2"
    waiting.mkdir()
    shutil.copy(tmp_path / "gamma=0.5" / "seed-1" / "config.json", waiting)
    out = command("plot", tmp_path).out
    assert out.split() == [str(tmp_path / "learning-curve.png")]
    assert {name: len(runs) for name, runs in drawn.items()} == {"gamma=0.5": 1, "gamma=0.95 (2 seeds)": 2}
    assert f"have not made a meta-update yet: {waiting}" in caplog.text
