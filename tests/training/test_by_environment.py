"""Rates of success of each environment in the metrics of training."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest

from maml_rl.config import Config
from maml_rl.envs import Task
from maml_rl.training import Run, RunSettings, train
from maml_rl.training.metrics import metric_names
from tests.cli.helpers import TINY, Command, read_metrics
from tests.envs.successful import SuccessEnv

NAMES = ("near", "far", "never")


class SeveralEnv(SuccessEnv):
    """Draws tasks of the first two environments in turn; the first one's mark is passed at once."""

    environments: Sequence[str] = NAMES

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        return [{"env": NAMES[i % 2], "mark": -10.0 if i % 2 == 0 else 100.0} for i in range(num_tasks)]


def config(**keys: object) -> Config:
    env = "tests.training.test_by_environment:SeveralEnv"
    return Config(env_name=env, num_batches=2, meta_batch_size=3, fast_batch_size=2, **keys)


def test_every_environment_has_a_column_for_each_round():
    with Run(config(), RunSettings(seed=1)) as run:
        for iteration in train(run):
            rates = {name: x for name, x in iteration.metrics.items() if name.startswith("success_")}
            assert list(rates)[:2] == ["success_0", "success_1"]
            for step in (0, 1):
                assert rates[f"success_{step}"] == pytest.approx(2 / 3)
                assert rates[f"success_{step}_near"] == 1
                assert rates[f"success_{step}_far"] == 0
                assert math.isnan(rates[f"success_{step}_never"])
        assert set(iteration.metrics) == metric_names(run.columns, 1)


def test_tasks_that_are_given_are_of_any_environment():
    with Run(config(tasks=[{"env": "near", "mark": 1.0}]), RunSettings(seed=1)) as run:
        assert run.environments == ()
        assert run.columns == tuple(run.learner.columns)
    tasks = [{"env": name, "mark": 1.0} for name in ("far", "elsewhere", "far")]
    with Run(config(tasks=tasks), RunSettings(seed=1)) as run:
        assert run.environments == ("far", "elsewhere")
        (iteration, *_) = train(run)
        assert {"success_0_far", "success_1_elsewhere"} < set(iteration.metrics)


def test_a_run_goes_on_with_its_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    command, env = Command(capsys), "tests.training.test_by_environment:SeveralEnv"
    options = (*TINY, "--seed", 1, "--output-folder", tmp_path / "run")
    command.succeeds("train", "--env-name", env, *options)
    before = read_metrics(tmp_path / "run")
    command.succeeds("train", "--resume", tmp_path / "run", "--num-batches", len(before) + 1)
    after = read_metrics(tmp_path / "run")
    assert after[: len(before)] == before
    assert len(after) == len(before) + 1
    assert float(after[-1]["success_1_far"]) == 0
