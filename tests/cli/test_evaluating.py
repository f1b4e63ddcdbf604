"""``maml-rl test``."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.cli.test import OTHER_TASKS
from tests.cli.helpers import NAVIGATION, Command, contents, read_config
from tests.samplers.helpers import make_sampler
from tests.viz.files import assert_picture

SMALL = ("--num-batches", 2, "--meta-batch-size", 3, "--num-workers", 0, "--seed", 5)


def evaluated(command: Command, run: Path, output: Path, *options: object) -> dict[str, Any]:
    arguments = ("--config", run / "config.json", "--policy", run / "policy.th", "--output", output)
    command.succeeds("test", *arguments, *SMALL, *options)
    with np.load(output, allow_pickle=False) as file:
        return dict(file)


def test_the_results_are_plain_arrays(command: Command, tabular_run: Path, tmp_path: Path):
    results = evaluated(command, tabular_run, tmp_path / "results.npz")
    assert {name: array.shape for name, array in results.items()} == {
        "train_returns": (6, 4),
        "valid_returns": (6, 4),
        "returns": (2, 6, 4),
        "step_sizes": (1,),
        "seed": (),
        "policy": (),
        "task_transitions": (6, 10, 5, 10),
        "task_rewards_mean": (6, 10, 5),
    }
    assert all(array.dtype != object for array in results.values())
    np.testing.assert_array_equal(results["train_returns"], results["returns"][0])
    np.testing.assert_array_equal(results["valid_returns"], results["returns"][-1])
    assert results["seed"] == 5
    assert results["step_sizes"] == 0.5
    assert len(np.unique(results["task_rewards_mean"][:, 0, 0])) == 6


def test_a_policy_without_its_config_is_told_where_that_is(command: Command, tabular_run: Path):
    line = command.fails("test", "--policy", tabular_run / "policy.th", "--env-name", "TabularMDP-v0")
    assert line.endswith(f"needs the config that it was trained with: --config {tabular_run / 'config.json'}")


def test_more_factors_than_steps(command: Command, tabular_run: Path):
    words = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th")
    line = command.fails("test", *words, "--num-steps", 1, "--step-size-schedule", 1, 0.5)
    assert "step-size-schedule: 2 factors are for as many gradient steps, and num-steps is 1" in line


def test_more_steps_than_trained_with(command: Command, navigation_run: Path, tmp_path: Path):
    results = evaluated(command, navigation_run, tmp_path / "r.npz", "--num-steps", 3)
    assert results["returns"].shape == (4, 6, 4)
    np.testing.assert_allclose(results["step_sizes"], [0.1, 0.1, 0.1])
    assert len(np.unique(results["returns"].mean((1, 2)))) == 4
    one = evaluated(command, navigation_run, tmp_path / "one.npz")
    np.testing.assert_array_equal(one["returns"], results["returns"][:2])
    assert results["task_goal"].shape == (6, 2)


def test_a_schedule_of_step_sizes(command: Command, navigation_run: Path, tmp_path: Path):
    options = ("--num-steps", 3, "--fast-lr", 0.4, "--step-size-schedule", 1, 0.5)
    results = evaluated(command, navigation_run, tmp_path / "r.npz", *options)
    np.testing.assert_allclose(results["step_sizes"], [0.4, 0.2, 0.2])


def test_given_tasks_take_the_place_of_drawn_ones(command: Command, navigation_run: Path, tmp_path: Path):
    drawn = evaluated(command, navigation_run, tmp_path / "drawn.npz", "--num-batches", 1)
    tasks = tmp_path / "tasks.yaml"
    tasks.write_text("".join(f"- {{goal: {goal.tolist()}}}\n" for goal in drawn["task_goal"]))
    same = evaluated(command, navigation_run, tmp_path / "same.npz", "--tasks", tasks)
    np.testing.assert_array_equal(same["returns"], drawn["returns"])
    tasks.write_text("- {goal: [0.25, 0.5]}\n")
    other = evaluated(command, navigation_run, tmp_path / "other.npz", "--tasks", tasks)
    np.testing.assert_array_equal(other["task_goal"], [[0.25, 0.5]])
    assert other["returns"].shape == (2, 1, 4)


def test_no_steps_at_all(command: Command, navigation_run: Path, tmp_path: Path):
    results = evaluated(command, navigation_run, tmp_path / "r.npz", "--num-steps", 0)
    assert results["returns"].shape == (1, 6, 4)
    np.testing.assert_array_equal(results["train_returns"], results["valid_returns"])


def test_the_result_is_the_same_for_any_number_of_workers(
    command: Command, navigation_run: Path, tmp_path: Path
):
    reference = evaluated(command, navigation_run, tmp_path / "0.npz")
    for workers in (1, 2):
        results = evaluated(command, navigation_run, tmp_path / f"{workers}.npz", "--num-workers", workers)
        for name, array in reference.items():
            assert array.tobytes() == results[name].tobytes(), name
    others = evaluated(command, navigation_run, tmp_path / "other.npz", "--seed", 6)
    assert not np.array_equal(reference["task_goal"], others["task_goal"])


def test_the_tasks_are_unseen_even_with_the_seed_of_training(
    command: Command, navigation_run: Path, tmp_path: Path
):
    seed = read_config(navigation_run)["seed"]
    goals = evaluated(command, navigation_run, tmp_path / "r.npz", "--seed", seed)["task_goal"]
    with make_sampler(seed=seed) as sampler:
        trained = [task["goal"] for i in range(2) for task in sampler.sample_tasks(3, iteration=i)]
    assert not set(goals.ravel()) & set(np.ravel(trained))
    assert len(np.unique(goals)) == goals.size


def test_the_policy_of_the_file_is_the_one_that_is_tested(
    command: Command, tmp_path: Path, navigation_run: Path
):
    """It walks straight to one corner, whatever the goal: its returns are known."""
    state = torch.load(navigation_run / "policy.th", weights_only=True)
    state = {name: torch.zeros_like(tensor) for name, tensor in state.items()}
    state["mu.bias"] += 5.0
    state["sigma"] -= 9.0
    torch.save(state, tmp_path / "policy.th")
    (tmp_path / "config.json").write_bytes((navigation_run / "config.json").read_bytes())
    results = evaluated(command, tmp_path, tmp_path / "r.npz", "--num-steps", 0)
    positions = 0.1 * np.arange(1, 16)[:, None, None] * np.ones(2)
    expected = -np.linalg.norm(positions - results["task_goal"], axis=-1).sum(0)
    np.testing.assert_allclose(results["returns"][0], np.repeat(expected[:, None], 4, 1), rtol=1e-5)


def test_by_default_forty_tasks_ten_times_whatever_the_config_says(
    command: Command, tabular_run: Path, tmp_path: Path
):
    arguments = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th")
    command.succeeds("test", *arguments, "--output", tmp_path / "r.npz", "--num-workers", 0)
    with np.load(tmp_path / "r.npz", allow_pickle=False) as results:
        assert results["returns"].shape == (2, 400, 4)


def test_the_table_tells_the_returns_after_each_step(command: Command, navigation_run: Path):
    arguments = ("--config", navigation_run / "config.json", "--policy", navigation_run / "policy.th")
    out = command.succeeds("test", *arguments, *SMALL, "--num-steps", 2)
    rows = [line.split("│")[1:-1] for line in out.splitlines() if line.startswith("│")]
    assert [row[0].strip() for row in rows] == ["policy", "", ""]
    assert [row[1].strip() for row in rows] == ["0", "1", "2"]
    for row in rows:
        mean, error = map(float, row[3].split("±"))
        low, high = map(float, row[4].split("…"))
        assert -40 < low < mean < high < 0 < error
        assert low < float(row[5]) < high
    assert "over 6 tasks, 4 episodes each" in out


def test_steps_that_undo_the_first_are_named(command: Command):
    arguments = ("test", "--policy", "maml-rl://paper/navigation", "--num-steps", 3, "--num-batches", 1)
    said = command.succeeds(*arguments, "--num-workers", 0, "--seed", 5)
    advice = "navigation: the return falls with step 2; if later steps are too long, shorten them: "
    assert said.splitlines()[-3:] == [advice + "--step-size-schedule 1 0.5", OTHER_TASKS, "seed 5"]
    shorter = ("--step-size-schedule", 1, 0.4, 0.2)
    said = command.succeeds(*arguments, *shorter, "--num-workers", 0, "--seed", 5)
    assert "falls" not in said


def test_a_state_dict_of_2020_loads(command: Command, tmp_path: Path):
    """Names, shapes and the legacy format of ``torch.save`` as the 2020 code wrote them."""
    torch.manual_seed(0)
    shapes = {
        "layer1.weight": (64, 2),
        "layer1.bias": (64,),
        "layer2.weight": (64, 64),
        "layer2.bias": (64,),
        "mu.weight": (2, 64),
        "mu.bias": (2,),
    }
    # The 2020 policy registered sigma first.
    state = {"sigma": torch.zeros(2)} | {name: 0.1 * torch.randn(shape) for name, shape in shapes.items()}
    torch.save(state, tmp_path / "policy.th", _use_new_zipfile_serialization=False)
    run = {"config": str(NAVIGATION), "output_folder": "x", "seed": 1, "num_workers": 2, "use_cuda": False}
    config = {
        "env-name": "2DNavigation-v0",
        "env-kwargs": {"low": -0.5, "high": 0.5},
        "gamma": 0.99,
        "hidden-sizes": [64, 64],
        "nonlinearity": "tanh",
        "fast-batch-size": 4,
        "num-steps": 1,
        "fast-lr": 0.1,
        "device": "cpu",
    }
    (tmp_path / "config.json").write_text(json.dumps(config | run))
    results = evaluated(command, tmp_path, tmp_path / "r.npz")
    assert results["returns"].shape == (2, 6, 4)


def test_testing_does_not_touch_the_run(command: Command, tabular_run: Path, tmp_path: Path):
    before = contents(tabular_run)
    evaluated(command, tabular_run, tmp_path / "new" / "folder" / "r.npz")
    assert contents(tabular_run) == before


def test_an_existing_output_is_replaced_only_when_asked(command: Command, tabular_run: Path, tmp_path: Path):
    output = tmp_path / "r.npz"
    output.write_text("precious")
    arguments = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th")
    line = command.fails("test", *arguments, *SMALL, "--output", output)
    assert f"'{output}' exists: choose another --output, or pass --overwrite" in line
    assert output.read_text() == "precious"
    evaluated(command, tabular_run, output, "--overwrite")


@pytest.mark.parametrize("option", ["--use-cuda", "--device=cpu"])
def test_the_device_options_of_2020_are_accepted(command: Command, tabular_run: Path, option: str):
    arguments = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th")
    command.succeeds("test", *arguments, *SMALL, option)


def test_a_table_and_a_picture_come_with_the_results(command: Command, navigation_run: Path, tmp_path: Path):
    arguments = ("--config", navigation_run / "config.json", "--policy", navigation_run / "policy.th")
    command.succeeds("test", *arguments, *SMALL, "--num-steps", 2, "--output", tmp_path / "r.npz")
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    with np.load(tmp_path / "r.npz", allow_pickle=False) as results:
        per_task = results["returns"].mean(2)
    assert [row["gradient_steps"] for row in rows] == ["0", "1", "2"]
    assert [row["step_size"] for row in rows] == ["", "0.1", "0.1"]
    for row, values in zip(rows, per_task, strict=True):
        assert (row["policy"], row["tasks"], row["episodes"]) == ("policy", "6", "4")
        assert float(row["mean_return"]) == pytest.approx(values.mean(), rel=1e-5)
        assert float(row["interquartile_mean"]) == pytest.approx(np.sort(values)[1:5].mean(), rel=1e-5)
        assert (
            values.min() <= float(row["mean_low"]) < values.mean() < float(row["mean_high"]) <= values.max()
        )
    assert_picture(tmp_path / "r.png")


@pytest.mark.parametrize(
    ("output", "complaint"),
    [
        (".", "'.': expected an .npz"),
        ("r.csv", "expected an .npz"),
        ("folder", "is a folder: expected the name of a file"),
        ("taken.npz", "taken.png' is a folder"),
    ],
)
def test_an_output_that_cannot_be_written_is_told_before_the_test(
    command: Command, tabular_run: Path, tmp_path: Path, output: str, complaint: str
):
    for folder in ("folder", "taken.png"):
        (tmp_path / folder).mkdir()
    path = tmp_path / output if output != "." else Path(output)
    arguments = ("--config", tabular_run / "config.json", "--policy", "random", "--overwrite")
    assert complaint in command.fails("test", *arguments, *SMALL, "--output", path)


def test_policies_that_ship_are_compared_too(command: Command):
    shipped = "maml-rl://paper/navigation"
    small = (*SMALL, "--fast-batch-size", 2, "--env-kwargs", "{max_episode_steps: 5}")
    out = command.succeeds("test", "--policy", shipped, "--compare", f"[same]={shipped}", *small)
    assert "[same]" in out  # Not swallowed as markup.


def test_a_policy_to_compare_that_is_missing_is_told_before_the_test(
    command: Command, tabular_run: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("maml_rl.evaluation.evaluate", None)
    arguments = ("--config", tabular_run / "config.json", "--policy", "random")
    line = command.fails("test", *arguments, *SMALL, "--compare", "b=typo.th")
    assert "cannot read the policy 'typo.th'" in line


def test_policies_are_compared_on_the_same_tasks(command: Command, navigation_run: Path, tmp_path: Path):
    arguments = ("--config", navigation_run / "config.json", "--policy", navigation_run / "policy.th")
    first = navigation_run / "checkpoints" / "000000.th"
    others = ("--compare", "random", f"first={first}", f"same={navigation_run / 'policy.th'}")
    command.succeeds("test", *arguments, *SMALL, *others, "--output", tmp_path / "r.npz")
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = [tuple(row.values()) for row in csv.DictReader(file)]
    policies = {
        name: [row[1:] for row in rows if row[0] == name] for name in ("policy", "random", "first", "same")
    }
    assert sum(map(len, policies.values())) == len(rows) == 8
    assert policies["same"] == policies["policy"] != policies["first"] != policies["random"]
    untrained = ("--config", navigation_run / "config.json", "--policy", "random")
    command.succeeds("test", *untrained, *SMALL, "--output", tmp_path / "untrained.npz")
    with (tmp_path / "untrained.csv").open(newline="") as file:
        assert [tuple(row.values())[1:] for row in csv.DictReader(file)] == policies["random"]


@pytest.mark.parametrize("other", ["policy=x.th", "best", "=x.th", "random=x.th"])
def test_comparisons_that_name_no_policy(command: Command, navigation_run: Path, other: str):
    arguments = ("--config", navigation_run / "config.json", "--policy", navigation_run / "policy.th")
    assert "compare: expected different names" in command.fails("test", *arguments, "--compare", other)


@pytest.mark.parametrize("name", ["r.csv", "r.png"])
def test_the_results_do_not_take_the_name_of_a_file_beside_them(
    command: Command, navigation_run: Path, tmp_path: Path, name: str
):
    arguments = ("--config", navigation_run / "config.json", "--policy", navigation_run / "policy.th")
    output = ("--output", tmp_path / name, "--overwrite")
    assert "expected an .npz" in command.fails("test", *arguments, *SMALL, *output)
    assert contents(tmp_path) == {}


@pytest.mark.parametrize("name", ["r.csv", "r.png"])
def test_the_files_beside_the_results_are_not_overwritten(
    command: Command, navigation_run: Path, tmp_path: Path, name: str
):
    (tmp_path / name).write_text("precious")
    arguments = ("--config", navigation_run / "config.json", "--policy", navigation_run / "policy.th")
    assert f"{name}' exists" in command.fails("test", *arguments, *SMALL, "--output", tmp_path / "r.npz")
    assert contents(tmp_path) == {name: b"precious"}


def test_a_shipped_policy_brings_its_config(command: Command, tmp_path: Path):
    options = ("--fast-batch-size", 2, "--num-steps", 1, "--env-kwargs", "{max_episode_steps: 5}")
    out = command.succeeds("test", "--policy", "maml-rl://paper/cheetah-dir", *SMALL, *options)
    assert "cheetah-dir" in out
    assert "over 6 tasks, 2 episodes each" in out
