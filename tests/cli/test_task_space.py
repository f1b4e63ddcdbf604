"""Tasks without a class, from the command line: task-space, tasks and test-tasks."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.cli.helpers import NAVIGATION, ROOT, TINY, Command, read_config, read_metrics, results
from tests.envs.test_elsewhere import KINDS

SHIPPED = ROOT / "configs" / "task-space"
SHORT = ("--env-kwargs", "{max_episode_steps: 5}", "--logger", "none", "--seed", 1)
SPACES = {
    "cartpole": {"force_mag", "length", "masspole"},
    "pendulum": {"g", "l", "m"},
    "acrobot": {"LINK_MASS_1", "LINK_MASS_2"},
    "walker2d": {
        *("model.body_mass[torso]", "model.dof_damping", "model.opt.gravity[2]"),
        *("model.geom_friction[foot_geom, 0]", "model.geom_friction[foot_left_geom, 0]"),
    },
}
TASKS = "- {g: 5}\n- {g: 10, l: 0.5}\n- {g: 15.0, l: 1.5}\n"


def load(path: Path) -> dict[str, Any]:
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config of lists that lie beside it."""
    (tmp_path / "lists").mkdir()
    (tmp_path / "lists" / "train.yaml").write_text(TASKS)
    (tmp_path / "lists" / "test.json").write_text(json.dumps([{"g": 7.0}, {"l": 2.0}]))
    path = tmp_path / "lists" / "mine.yaml"
    path.write_text("env-name: Pendulum-v1\ntasks: train.yaml\ntest-tasks: test.json\nhidden-sizes: [4]\n")
    return path


def policy_of(run: Path) -> tuple[object, ...]:
    """Options of ``test`` for the policy that a run left."""
    config, policy = run / "config.json", run / "policy.th"
    return ("--config", config, "--policy", policy, "--num-workers", 0, "--seed", 3)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.filterwarnings(
    "ignore:.*You are calling 'step..'"
)  # The check steps on beyond an episode's end.
def test_shipped_configs(command: Command, name: str, tmp_path: Path):
    run = tmp_path / "run"
    command.succeeds(
        "train", "--config", SHIPPED / f"{name}.yaml", *TINY, *SHORT, "--output-folder", run, "--quiet"
    )
    rows = read_metrics(run)
    assert [row["iteration"] for row in rows] == ["1", "2"]
    assert all(np.isfinite(float(row["return_1"])) for row in rows)
    arguments = policy_of(run)
    out = tmp_path / "results.npz"
    command.succeeds("test", *arguments, "--num-batches", 1, "--meta-batch-size", 4, "--output", out)
    kept = {key.removeprefix("task_"): column for key, column in load(out).items() if key.startswith("task_")}
    assert kept.keys() == SPACES[name]
    assert all(len(column) == 4 for column in kept.values())
    assert all(len(np.unique(column)) > 1 for column in kept.values() if column.dtype.kind == "f")


def test_a_list_is_part_of_the_run_and_tests_are_on_the_held_out_one(
    command: Command, config: Path, tmp_path: Path
):
    run, out = tmp_path / "run", tmp_path / "r.npz"
    command.succeeds("train", "--config", config, *TINY, *SHORT, "--output-folder", run)
    for name in ("train.yaml", "test.json", "mine.yaml"):
        (config.parent / name).unlink()
    entries = read_config(run)
    assert entries["tasks"] == [{"g": 5}, {"g": 10, "l": 0.5}, {"g": 15.0, "l": 1.5}]
    assert entries["test-tasks"] == [{"g": 7.0}, {"l": 2.0}]
    command.succeeds("train", "--resume", run, "--num-batches", 3, "--num-workers", 0, "--logger", "none")
    arguments = policy_of(run)
    command.succeeds("test", *arguments, "--output", out)
    held_out = load(out)
    assert held_out["returns"].shape[1] == 2
    assert held_out["task_g"].tolist() == [7.0, 10.0]
    assert held_out["task_l"].tolist() == [1.0, 2.0]
    mine = tmp_path / "mine.yaml"
    mine.write_text("[{g: 8, l: 1}]")
    command.succeeds("test", *arguments, "--output", out, "--tasks", mine, "--overwrite")
    assert load(out)["task_g"].tolist() == [8.0]
    assert "task: expected 0 to 1, the config's test-tasks, got 2" in command.fails(
        "render", run, "--task", 2
    )


def test_lists_on_the_command_line_are_seen_from_where_it_is_called(
    command: Command, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(config.parent)
    options = ("--env-name", "Pendulum-v1", "--tasks", "train.yaml", "--hidden-sizes", 4, *TINY, *SHORT)
    command.succeeds("train", *options, "--output-folder", tmp_path / "a")
    command.succeeds("train", "--config", config, *TINY, *SHORT, "--output-folder", tmp_path / "b")
    assert results(tmp_path / "a")["metrics.csv"] == results(tmp_path / "b")["metrics.csv"]
    assert "cannot read the tasks 'nowhere.yaml'" in command.fails(
        *("train", *options[:2], "--tasks", "nowhere.yaml")
    )


def test_a_test_on_the_tasks_of_training_says_so(
    command: Command, config: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    config.write_text(config.read_text().replace("test-tasks: test.json", ""))
    run = tmp_path / "run"
    command.succeeds("train", "--config", config, *TINY, *SHORT, "--output-folder", run)
    arguments = ("test", "--config", run / "config.json", "--policy", run / "policy.th", "--num-workers", 0)
    few = ("--num-batches", 1, "--meta-batch-size", 2)
    command(*arguments, *few)
    assert "these are the tasks of training" in caplog.text
    caplog.clear()
    command(*arguments, *few, "--task-space", "{g: [5, 6], l: [1, 2]}")
    assert "these are the tasks of training" not in caplog.text


def test_lists_for_an_environment_with_tasks(command: Command, tmp_path: Path):
    lists = ("--tasks", tmp_path / "a.yaml", "--test-tasks", tmp_path / "b.yaml")
    (tmp_path / "a.yaml").write_text("- {goal: [0.1, 0.2]}\n- {goal: [0.3, -0.2]}\n")
    (tmp_path / "b.yaml").write_text("- {goal: [0, 1]}\n")
    run, out = tmp_path / "run", tmp_path / "r.npz"
    command.succeeds("train", "--config", NAVIGATION, *lists, *TINY, *SHORT, "--output-folder", run)
    arguments = ("--config", run / "config.json", "--policy", run / "policy.th", "--num-workers", 0)
    command.succeeds("test", *arguments, "--output", out)
    assert load(out)["task_goal"].tolist() == [[0.0, 1.0]]
    assert "task: expected 0 to 0, the config's test-tasks, got 1" in command.fails(
        "render", run, "--task", 1
    )
    video = tmp_path / "v.gif"
    command.succeeds("render", run, "--task", 0, "--size", 200, "--num-steps", 1, "--output", video)
    assert video.exists()


def test_check_env(command: Command):
    out = command.succeeds("check-env", "Pendulum-v1", "--task-space", "{g: [5, 15]}")
    assert out.splitlines()[-1] == "all that samplers rely on holds"
    assert "'gg'; its numbers: g, " in command.fails(
        "check-env", "Pendulum-v1", "--task-space", "{gg: [5, 15]}"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ("--task-space", "{lenght: [5, 15]}"),
            "environment 'Pendulum-v1' has no attribute 'lenght'; its numbers: ",
        ),
        (("--task-space", "{g: 5}"), "task-space: g: expected [low, high]"),
        (("--task-space", "[5, 15]"), "expected a mapping"),
        (("--test-tasks", "LIST"), "has no method sample_tasks()"),
        (
            ("--task-space", "{l: [1, 2]}", "--tasks", "LIST"),
            "tasks: task 1: 'g' is none of the task-space, which has l",
        ),
        (
            ("--task-space", "{g: [1, 2]}", "--tasks", "WORDS"),
            "tasks: task 1, g: expected a number, got 'high'",
        ),
    ],
)
def test_a_mistake_is_a_line(command: Command, options: tuple[str, ...], message: str, tmp_path: Path):
    for name, text in (("LIST", "[{g: 5}]"), ("WORDS", "[{g: high}]")):
        (tmp_path / name).write_text(text)
    words = [str(tmp_path / word) if word.isupper() else word for word in options]
    folder = tmp_path / "run"
    line = command.fails(
        "train", "--env-name", "Pendulum-v1", *words, *TINY, *SHORT, "--output-folder", folder
    )
    assert message in line
    assert not folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Points", "Carl"])
def test_other_libraries_environments(command: Command, kind: str, tmp_path: Path):
    """With the command line alone, and any number of workers."""
    kwargs = {name: value for name, value in KINDS[kind].items() if name != "task_space"}
    options = (
        "--env-name",
        f"tests.envs.elsewhere:{kind}",
        "--env-kwargs",
        json.dumps(kwargs),
        "--hidden-sizes",
        4,
    )
    space = ("--task-space", json.dumps(KINDS[kind].get("task_space", {})))
    for workers in (0, 2):
        last = (
            "--num-workers",
            workers,
            "--output-folder",
            tmp_path / str(workers),
            "--logger",
            "none",
            "--seed",
            1,
        )
        command("train", *options, *space, *TINY, *last)
    assert results(tmp_path / "0") == results(tmp_path / "2")
    run = tmp_path / "0"
    arguments = ("--config", run / "config.json", "--policy", run / "policy.th", "--num-workers", 0)
    few = ("--num-batches", 1, "--meta-batch-size", 2, "--output", tmp_path / "r.npz")
    command.succeeds("test", *arguments, *few)
    assert load(tmp_path / "r.npz")["returns"].shape == (2, 2, 4)
