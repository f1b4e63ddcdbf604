"""The numbers of a meta-update are finite, or the run ends and says which are not."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch

from maml_rl.config import Config
from maml_rl.metalearners import MetaState
from maml_rl.training import Run, RunSettings, train
from maml_rl.training.metrics import (
    TIMING_NAMES,
    Iteration,
    check_finite_metrics,
    metric_names,
    return_columns,
)
from maml_rl.viz.learning_curve import last_step
from tests.cli.helpers import TINY, Command, contents, read_metrics


@pytest.mark.parametrize("method", ["maml-trpo", "promp"])
@pytest.mark.parametrize("env", ["SilentEnv", "SuccessEnv"])
def test_the_names_are_those_of_what_training_yields(method: str, env: str):
    sizes = {"num_batches": 1, "meta_batch_size": 2, "fast_batch_size": 2, "num_steps": 2}
    config = Config(metalearner=method, env_name=f"tests.envs.successful:{env}", **sizes)
    with Run(config, RunSettings(seed=1)) as run:
        (iteration,) = train(run)
        names = metric_names(run.learner.columns, config.num_steps)
    not_told = {f"success_{step}" for step in range(3)} if env == "SilentEnv" else set()
    assert set(iteration.metrics) == names - not_told
    assert {"iteration", *iteration.timings} == set(TIMING_NAMES)


@pytest.mark.parametrize(
    ("metrics", "wrong"),
    [
        ({"return_0": math.nan, "kl": 1.0}, "return_0"),
        ({"return_0": 1.0, "return_1": -math.inf, "stderr_1": math.inf}, "return_1, stderr_1"),
        ({"kl": math.inf}, "kl"),
    ],
)
def test_numbers_that_are_not_finite_are_named(metrics: dict[str, float], wrong: str):
    with pytest.raises(FloatingPointError, match=f"^{wrong}: NaN or infinite"):
        check_finite_metrics(metrics)


def test_what_is_not_known_may_be_nan():
    check_finite_metrics({"return_0": 1.0, "stderr_0": math.nan, "success_0": math.nan, "accepted": True})


def huge(scale: str) -> tuple[object, ...]:
    return (
        *("train", "--env-name", "tests.envs.huge:HugeEnv", "--env-kwargs", f"{{scale: {scale}}}", *TINY),
        *("--hidden-sizes", 4, "--seed", 1, "--logger", "none"),
    )


def test_rewards_whose_squares_overflow_have_a_standard_error(command: Command, tmp_path: Path):
    command.succeeds(*huge("1.0e+30"), "--output-folder", tmp_path / "run")
    for row in read_metrics(tmp_path / "run"):
        assert all(math.isfinite(float(value)) for value in row.values())
        assert 1e28 < float(row["stderr_0"]) < 1e31


def test_rewards_whose_sums_overflow_end_the_run(command: Command, tmp_path: Path):
    outcome = command(*huge("3.0e+37"), "--output-folder", tmp_path / "run")
    assert outcome.status == 1
    (line,) = outcome.err.splitlines()
    assert "meta-update 1: " in line
    assert "return_0" in line
    assert contents(tmp_path / "run")["metrics.csv"] == b""


def test_returns_are_the_rounds_in_their_order_and_no_columns_of_a_method():
    names = [
        "iteration",
        "return_10",
        "return_0",
        "return_2",
        "return_1",
        "return_gap",
        "stderr_0",
        "return_",
    ]
    assert return_columns(names) == ["return_0", "return_1", "return_2", "return_10"]
    metrics = {"iteration": 1.0, "return_0": 1.0, "return_1": 2.0, "return_gap": float("nan")}
    check_finite_metrics(metrics)
    state = MetaState(torch.zeros(1), {})
    assert Iteration(metrics, {}, state).returns == (1.0, 2.0)
    assert last_step({name: np.zeros(1) for name in metrics}) == 1
