import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.evaluation.results import AdaptationResults
from tests.cli.helpers import TINY, Command, contents
from tests.viz.files import assert_picture

TASKS = [{"reward": 0.5 * i} for i in range(4)]


def kept_test(folder: Path, run: Path, seed: int = 1, shift: float = 0.0, **keys: object) -> np.ndarray:
    """Make a run's folder with the results of a test in it; return these, ``[steps + 1, tasks, K]``.

    Args:
        run: whose config it has.
        keys: of the config that are others.
    """
    folder.mkdir(parents=True)
    config: dict[str, Any] = json.loads((run / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"seed": seed} | keys))
    rng = np.random.default_rng([seed, len(str(keys))])
    returns = (rng.normal(size=(2, 4, 3)) + shift).astype(np.float32)
    AdaptationResults(returns, TASKS, (0.1,), 7).save(folder / "results.npz")
    return returns


def test_settings_of_several_seeds(command: Command, tabular_run: Path, tmp_path: Path):
    slow = [kept_test(tmp_path / f"slow-{seed}", tabular_run, seed) for seed in (1, 2, 3)]
    fast = [
        kept_test(tmp_path / f"x/fast-{seed}", tabular_run, seed, 1.0, **{"fast-lr": 0.7}) for seed in (1, 2)
    ]
    rate = json.loads((tabular_run / "config.json").read_text())["fast-lr"]
    names = [f"maml-trpo (fast-lr {rate})", "maml-trpo (fast-lr 0.7)"]
    told = command.succeeds("compare", tmp_path, "--output", tmp_path / "out")
    for name in ("comparison.csv", "profiles.csv", "comparison.png"):
        assert str(tmp_path / "out" / name) in told.replace("\n", "")
    assert_picture(tmp_path / "out" / "comparison.png")
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["method"], row["gradient_steps"], row["runs"]) for row in rows] == [
        *((names[0], step, "3") for step in "01"),
        *((names[1], step, "2") for step in "01"),
    ]
    assert {row["reference"] for row in rows} == {names[0]}
    for row, returns in zip(rows, [slow, slow, fast, fast], strict=True):
        means = np.mean([run[int(row["gradient_steps"])] for run in returns])
        assert float(row["mean_return"]) == pytest.approx(means, rel=1e-4)
    with (tmp_path / "out" / "profiles.csv").open(newline="") as file:
        assert {row["gradient_steps"] for row in csv.DictReader(file)} == {"1"}


def test_what_is_printed_alone_writes_nothing(command: Command, tabular_run: Path, tmp_path: Path):
    kept_test(tmp_path / "a", tabular_run)
    kept_test(tmp_path / "b", tabular_run, metalearner="anil")
    before = contents(tmp_path)
    told = command.succeeds("compare", tmp_path / "b", tmp_path / "a" / "results.npz", "--num-steps", 0)
    assert "P: probability of a larger return than that of anil" in told
    assert "4 test tasks" in told
    assert "one run has no interval" in told
    assert contents(tmp_path) == before


def test_families_of_tasks_have_a_table_each(
    command: Command, tabular_run: Path, navigation_run: Path, tmp_path: Path
):
    for name, run in (("tabular", tabular_run), ("navigation", navigation_run)):
        kept_test(tmp_path / f"{name}-1", run, gamma=0.6)
        kept_test(tmp_path / f"{name}-2", run, 2, gamma=0.6)
        kept_test(tmp_path / f"{name}-promp", run, gamma=0.5)
    runs = sorted(tmp_path.iterdir())
    told = command.succeeds("compare", *runs, "--over", "maml-trpo (gamma 0.5)")
    assert told.count("4 test tasks; 95 % intervals") == 2
    assert "all: 8 test tasks; 95 % intervals" in told
    assert "2DNavigation-v0" in told
    assert "TabularMDP-v0" in told


def test_families_of_one_environment_are_told_apart(command: Command, tabular_run: Path, tmp_path: Path):
    for steps in (5, 6, 7):
        keys: dict[str, Any] = {"env-kwargs": {"max_episode_steps": steps}}
        kept_test(tmp_path / f"{steps}", tabular_run, **keys)
    command.succeeds("compare", *sorted(tmp_path.iterdir()), "--output", tmp_path / "out")
    with (tmp_path / "out" / "comparison.csv").open(newline="") as file:
        tasks = {row["task"] for row in csv.DictReader(file)}
    expected = "{{env-name: TabularMDP-v0, env-kwargs: {{max_episode_steps: {}}}}}"
    assert tasks == {
        expected.format(steps) for steps in (5, 6, 7)
    }  # And none of all, with nothing to compare.


def test_the_tests_of_the_command_line_are_read(command: Command, tabular_run: Path, tmp_path: Path):
    shutil.copytree(tabular_run, tmp_path / "run")
    policy = ("--config", tmp_path / "run" / "config.json", "--policy", tmp_path / "run" / "policy.th")
    command.succeeds(
        "test", *policy, "--output", tmp_path / "run" / "test.npz", "--seed", 2, *TINY, "--quiet"
    )
    told = command.succeeds("compare", tmp_path / "run", "--results", "test.npz")
    assert "6 test tasks" in told
    saved = np.load(tmp_path / "run" / "test.npz")["returns"]
    assert f"{saved[1].mean():.2f}" in told


def test_episodes_that_differ_in_number_are_told(
    command: Command, tabular_run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    kept_test(tmp_path / "a", tabular_run)
    returns = kept_test(tmp_path / "b", tabular_run, metalearner="anil")
    command.succeeds("compare", tmp_path)
    assert not caplog.messages
    more = np.concatenate([returns] * 2, axis=2)
    AdaptationResults(more, TASKS, (0.1,), 7).save(tmp_path / "b" / "results.npz")
    command.succeeds("compare", tmp_path)
    (warning,) = caplog.messages
    assert "results.npz' has 3 episodes for each task and step" in warning
    assert "6: more teach a step more" in warning
    caplog.clear()
    AdaptationResults(more, TASKS, (np.nan,), 7).save(tmp_path / "b" / "results.npz")  # Of a memory.
    command.succeeds("compare", tmp_path)
    assert not caplog.messages


def test_results_of_a_policy_that_was_trained_since(
    command: Command, tabular_run: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    runs = [tmp_path / name for name in ("a", "b")]
    for seed, run in enumerate(runs):
        shutil.copytree(tabular_run, run)
        config = json.loads((run / "config.json").read_text())
        (run / "config.json").write_text(json.dumps(config | {"seed": seed}))
        words = ("test", "--config", run / "config.json", "--policy", run / "policy.th", *TINY)
        command.succeeds(*words, "--output", run / "results.npz", "--seed", 3)
    command.succeeds("compare", *runs)
    assert not caplog.messages
    policy = torch.load(runs[1] / "policy.th", weights_only=True)
    torch.save({name: x + 1 for name, x in policy.items()}, runs[1] / "policy.th")
    command.succeeds("compare", *runs)
    (warning,) = caplog.messages
    assert f"the results in '{runs[1] / 'results.npz'}' are of another policy" in warning
    caplog.clear()
    command.succeeds("report", *runs, "--output", tmp_path / "report.html")
    assert caplog.messages == [warning]


def test_what_cannot_be_compared(command: Command, tabular_run: Path, tmp_path: Path):
    assert "name at least one folder" in command.fails("compare")
    assert "cannot read the config" in command.fails("compare", tmp_path)
    kept_test(tmp_path / "a", tabular_run)
    kept_test(tmp_path / "b", tabular_run, 2)
    assert "did you mean 'maml-trpo'?" in command.fails("compare", tmp_path, "--over", "maml-trp")
    assert "num-steps: expected 0 to 1" in command.fails("compare", tmp_path, "--num-steps", 2)
    kept_test(tmp_path / "c", tabular_run, 2)
    assert "the same config and seed 2" in command.fails("compare", tmp_path)
    shutil.rmtree(tmp_path / "c")
    other = AdaptationResults(np.zeros((2, 4, 3), np.float32), TASKS[::-1], (0.1,), 7)
    other.save(tmp_path / "b" / "results.npz")
    assert "not of the same tasks" in command.fails("compare", tmp_path)
    (tmp_path / "b" / "results.npz").write_text("nothing")
    assert "holds no results of 'maml-rl test --output'" in command.fails("compare", tmp_path)
    (tmp_path / "b" / "results.npz").unlink()
    told = command.fails("compare", tmp_path)
    assert f"maml-rl test --config {tmp_path / 'b' / 'config.json'}" in told


def test_nothing_is_overwritten(command: Command, tabular_run: Path, tmp_path: Path):
    kept_test(tmp_path / "a", tabular_run)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "profiles.csv").write_text("mine")
    options = ("compare", tmp_path / "a", "--output", tmp_path / "out")
    assert "profiles.csv' exists" in command.fails(*options)
    assert contents(tmp_path / "out") == {"profiles.csv": b"mine"}
    command.succeeds(*options, "--overwrite")
    assert set(contents(tmp_path / "out")) == {"comparison.csv", "profiles.csv", "comparison.png"}


def test_the_settings_name_themselves_where_little_differs_and_their_folder_where_much_does(
    command: Command, tabular_run: Path, tmp_path: Path
):
    kept_test(tmp_path / "a", tabular_run)
    others: dict[str, Any] = {"fast-lr": 0.7, "gamma": 0.5, "gae-lambda": 0.3, "max-kl": 0.2}
    kept_test(tmp_path / "b", tabular_run, **others)
    command.succeeds("compare", tmp_path / "a", tmp_path / "b", "--output", tmp_path / "out")
    table = (tmp_path / "out" / "comparison.csv").read_text()
    assert f"maml-trpo ({tmp_path / 'a'})" in table
    assert f"maml-trpo ({tmp_path / 'b'})" in table
