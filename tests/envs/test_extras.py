"""What an environment tells of each step besides its reward travels with the episodes."""

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maml_rl.config import Config
from maml_rl.envs import Task, make_env
from maml_rl.envs.adapter import GymTaskVectorEnv
from maml_rl.episode import BatchEpisodes, get_successes
from maml_rl.evaluation import evaluate, evaluation_tasks, sample_adaptation
from maml_rl.training import Run, RunSettings
from tests.cli.helpers import TINY, Command, read_metrics
from tests.envs.successful import SilentEnv
from tests.samplers.helpers import Samples, flat, identical, make_sampler

TOLD = {
    "SilentEnv": [],
    "SuccessEnv": ["success"],
    "IsSuccessEnv": ["success"],
    "DistanceEnv": ["distance", "success"],
    "BatchedEnv": ["distance", "success"],
}
"""What each of the environments tells of a step."""
each_environment = pytest.mark.parametrize("name", TOLD)


def full(name: str) -> str:
    return f"tests.envs.successful:{name}"


def sampled(name: str, num_workers: int = 0) -> tuple[list[Task], Samples]:
    """Two tasks to a work item, so that episodes are padded to the longest of two tasks."""
    arguments: dict[str, Any] = {
        "env_name": full(name),
        "env_kwargs": {},
        "env": make_env(full(name)),
        "batch_size": 5,
    }
    with make_sampler(num_workers, **arguments) as sampler:
        tasks = sampler.sample_tasks(5)
        return tasks, sampler.sample(tasks, num_steps=2, fast_lr=0.3)


def next_positions(episodes: BatchEpisodes) -> Tensor:
    """Where each step led; whatever behind an episode's end."""
    last = episodes.data.last_observations
    assert last is not None
    positions = torch.cat([episodes.observations[1:, :, 0], torch.zeros(1, episodes.batch_size)])
    for k, length in enumerate(episodes.lengths):
        positions[length - 1, k] = last[k, 0]
    return positions


@each_environment
def test_episodes_bring_what_was_told_of_their_steps(name: str):
    tasks, (train, valid) = sampled(name)
    lengths = set()
    for rounds in (*train, valid):
        for task, episodes in zip(tasks, rounds, strict=True):
            extras, real = episodes.data.extras, episodes.mask == 1
            assert sorted(extras) == TOLD[name]
            lengths |= set(episodes.lengths)
            for tensor in extras.values():
                assert tensor.shape == episodes.rewards.shape == (len(episodes), 5)
                assert tensor.dtype == torch.float32
                assert (tensor[~real] == 0).all()
            distances = task["mark"] - next_positions(episodes)
            if "success" in extras:
                assert torch.equal(extras["success"][real], (distances[real] < 0).float())
            if "distance" in extras:
                torch.testing.assert_close(extras["distance"][real], distances[real].float())
    assert len(lengths) > 2


@each_environment
def test_what_was_told_is_the_same_with_workers(name: str):
    _, reference = sampled(name)
    for num_workers in (1, 2):
        _, samples = sampled(name, num_workers)
        assert identical(samples, reference)
        for episodes in flat(samples):
            assert sorted(episodes.data.extras) == TOLD[name]


def test_the_batch_tells_what_its_single_environment_does():
    """Extras included, which `identical` compares too; actions differ in rounding alone."""
    _, one = sampled("DistanceEnv")
    _, other = sampled("BatchedEnv")
    for a, b in zip(flat(one), flat(other), strict=True):
        assert a.lengths == b.lengths
        for name in ("success", "distance"):
            torch.testing.assert_close(a.data.extras[name], b.data.extras[name], rtol=1e-4, atol=1e-5)


def test_the_name_of_success_that_comes_last_counts_wherever_it_is_told():
    """Were it a set's order, it would be another in each process."""

    class Both(SilentEnv):
        def told(self, beyond: bool) -> dict[str, float]:
            return {"is_success": 0.25, "success": 0.5}

    env = GymTaskVectorEnv([Both(), Both()])
    env.reset_task([{"mark": 0.5}])
    env.reset(seed=0)
    *_, info = env.step(np.zeros((2, 1)))
    assert {key: value.tolist() for key, value in info.items()} == {"success": [0.5, 0.5]}


@pytest.mark.parametrize("name", ["SuccessEnv", "IsSuccessEnv", "BatchedEnv"])
def test_an_episode_that_succeeded_at_some_step_has_succeeded(name: str):
    _, (train, valid) = sampled(name)
    for episodes in (*train, valid):
        successes = get_successes(episodes)
        assert successes is not None
        # These end where they succeed; the others are cut by time.
        truncated = np.stack([np.asarray(batch.data.truncated) for batch in episodes])
        np.testing.assert_array_equal(successes, 1.0 - truncated)
        assert 0 < successes.mean() < 1
    assert get_successes(sampled("SilentEnv")[1][1]) is None


def config(name: str) -> Config:
    sizes = {"num_batches": 2, "meta_batch_size": 3, "fast_batch_size": 4, "num_steps": 2}
    return Config(env_name=full(name), hidden_sizes=(8,), **sizes)


def test_evaluation_counts_successes():
    with Run(config("BatchedEnv"), RunSettings(seed=1)) as run:
        theta = run.learner.init().theta
        results = evaluate(run, theta)
        rounds = sample_adaptation(run, theta, evaluation_tasks(run, 1), (1.0, 1.0), batch=1)
    assert results.successes is not None
    assert results.successes.shape == results.returns.shape == (3, 6, 4)
    for step, episodes in enumerate(rounds):
        np.testing.assert_array_equal(results.successes[step, 3:], get_successes(episodes))
    for step, row in enumerate(results.summary()):
        assert row.success == pytest.approx(results.successes[step].mean())
    with Run(config("SilentEnv"), RunSettings(seed=1)) as run:
        assert evaluate(run, run.learner.init().theta).successes is None


@pytest.mark.parametrize("num_workers", [0, 2])
def test_a_run_and_its_test_tell_rates_of_success(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, num_workers: int
):
    command, folder = Command(capsys), tmp_path / "run"
    where = ("--num-workers", num_workers, "--output-folder", folder, "--seed", 1)
    command.succeeds("train", "--env-name", full("SuccessEnv"), *TINY, *where)
    for row in read_metrics(folder):
        for step in (0, 1):
            assert 0 <= float(row[f"success_{step}"]) <= 1
            assert float(row[f"success_{step}"]) * 12 == pytest.approx(
                round(float(row[f"success_{step}"]) * 12)
            )
    arguments = ("--config", folder / "config.json", "--policy", folder / "policy.th", "--num-batches", 1)
    out = command.succeeds("test", *arguments, "--num-workers", num_workers, "--output", tmp_path / "r.npz")
    assert "success" in out
    with np.load(tmp_path / "r.npz", allow_pickle=False) as file:
        rates = file["successes"].mean((1, 2))
    with (tmp_path / "r.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert [float(row["success"]) for row in rows] == pytest.approx(rates.tolist(), rel=1e-5)
    assert all(float(row["success_low"]) <= float(row["success_high"]) for row in rows)


def test_without_success_there_are_no_such_columns(capsys: pytest.CaptureFixture[str], tmp_path: Path):
    command, folder = Command(capsys), tmp_path / "run"
    command.succeeds("train", "--env-name", full("SilentEnv"), *TINY, "--output-folder", folder)
    assert not [column for column in read_metrics(folder)[0] if "success" in column]
    arguments = ("--config", folder / "config.json", "--policy", folder / "policy.th", "--num-batches", 1)
    command.succeeds("test", *arguments, "--num-workers", 0, "--output", tmp_path / "r.npz")
    with np.load(tmp_path / "r.npz", allow_pickle=False) as file:
        assert "successes" not in file
    assert "success" not in (tmp_path / "r.csv").read_text()
