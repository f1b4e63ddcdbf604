"""Rates of success, from an environment's ``info`` to metrics, tables and pictures."""

import csv
from pathlib import Path

import numpy as np
import pytest

from maml_rl.training.tables import CSVLogger
from tests.cli.helpers import Command

TINY = ("--num-batches", 2, "--meta-batch-size", 3, "--fast-batch-size", 4, "--hidden-sizes", 4)
RUN = (*TINY, "--seed", 1, "--num-workers", 0, "--logger", "none")
TWO_STEPS = ("--num-steps", 2, "--num-batches", 1, "--meta-batch-size", 3, "--seed", 2, "--num-workers", 0)


@pytest.fixture
def run(command: Command, tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    command.succeeds(
        "train", "--env-name", "tests.envs.successful:SuccessEnv", *RUN, "--output-folder", folder
    )
    return folder


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_metrics_have_rates_where_the_environment_tells(run: Path, command: Command, tmp_path: Path):
    names = list(rows(run / "metrics.csv")[0])
    assert names[names.index("stderr_1") + 1 :][:2] == ["success_0", "success_1"]
    rates = [float(row[f"success_{step}"]) for row in rows(run / "metrics.csv") for step in (0, 1)]
    assert all(0 <= rate <= 1 and (12 * rate) == pytest.approx(round(12 * rate), abs=1e-4) for rate in rates)
    silent = tmp_path / "silent"
    command.succeeds(
        "train", "--env-name", "tests.envs.successful:SilentEnv", *RUN, "--output-folder", silent
    )
    assert not [name for name in rows(silent / "metrics.csv")[0] if name.startswith("success")]


def test_a_test_saves_and_shows_rates_of_every_policy(run: Path, command: Command, tmp_path: Path):
    policy = ("--config", run / "config.json", "--policy", run / "policy.th", "--compare", "random")
    printed = command.succeeds("test", *policy, *TWO_STEPS, "--output", tmp_path / "results.npz")
    assert "success" in printed
    assert "%" in printed
    with np.load(tmp_path / "results.npz", allow_pickle=False) as saved:
        successes, returns = saved["successes"], saved["returns"]
    assert successes.shape == returns.shape == (3, 3, 4)
    assert set(np.unique(successes)) <= {0.0, 1.0}
    table = rows(tmp_path / "results.csv")
    assert [row["policy"] for row in table] == ["policy"] * 3 + ["random"] * 3
    for step, row in enumerate(table[:3]):
        assert float(row["success"]) == pytest.approx(successes[step].mean(), abs=1e-6)
        assert float(row["success_low"]) <= float(row["success"]) <= float(row["success_high"])
    assert (tmp_path / "results.png").exists()


def test_a_silent_environment_adds_nothing(command: Command, tabular_run: Path, tmp_path: Path):
    policy = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th")
    printed = command.succeeds("test", *policy, *TWO_STEPS, "--output", tmp_path / "results.npz")
    assert "success" not in printed
    assert "success" not in rows(tmp_path / "results.csv")[0]
    with np.load(tmp_path / "results.npz", allow_pickle=False) as saved:
        assert "successes" not in saved.files


def test_learning_curves_of_one_run_and_of_several_seeds(run: Path, command: Command, tmp_path: Path):
    assert command.succeeds("plot", run, "--output", tmp_path / "one")
    again = ("--config", run / "config.json", "--seed", 3, "--num-workers", 0, "--logger", "none")
    command.succeeds("train", *again, "--output-folder", tmp_path / "other")
    assert command.succeeds("plot", run, tmp_path / "other", "--output", tmp_path / "two")
    assert (tmp_path / "two" / "learning-curve.png").exists()


def test_an_environment_may_tell_of_successes_alone(run: Path, command: Command, tmp_path: Path):
    only = tmp_path / "only"
    command.succeeds(
        "train", "--env-name", "tests.envs.successful:OnlySuccessEnv", *RUN, "--output-folder", only
    )
    assert (only / "metrics.csv").read_bytes() == (run / "metrics.csv").read_bytes()


def test_a_batch_without_a_word_of_success_has_no_rate(tmp_path: Path):
    table = CSVLogger(tmp_path / "metrics.csv")
    table.write({"iteration": 1, "success_0": 0.5})
    table.write({"iteration": 2})
    table.close()
    assert [row["success_0"] for row in rows(tmp_path / "metrics.csv")] == ["0.5", "nan"]


def test_where_success_is_declared_silence_is_failure(command: Command, tmp_path: Path):
    declared = tmp_path / "declared"
    command.succeeds(
        "train", "--env-name", "tests.envs.successful:DeclaredSuccessEnv", *RUN, "--output-folder", declared
    )
    assert {row["success_1"] for row in rows(declared / "metrics.csv")} == {"0"}
