from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import Tensor

from maml_rl.adaptation import GradientStep
from maml_rl.config import Config
from maml_rl.episode import get_returns
from maml_rl.errors import UsageError
from maml_rl.evaluation import AdaptationResults, evaluate, evaluation_tasks, sample_adaptation, step_scales
from maml_rl.losses import reinforce
from maml_rl.samplers import Recipe
from maml_rl.seeding import FIRST_EVALUATION
from maml_rl.training import Run, RunSettings
from tests.builders import make_policy
from tests.samplers.helpers import NAVIGATION, identical, make_sampler

CONFIG = Config(
    env_name="2DNavigation-v0",
    env_kwargs=NAVIGATION,
    hidden_sizes=(8,),
    num_batches=2,
    meta_batch_size=3,
    fast_batch_size=3,
    num_steps=2,
    fast_lr=0.3,
    tasks_per_item=2,
)

SEED = 4


@contextmanager
def untrained_run(config: Config = CONFIG) -> Iterator[tuple[Run, Tensor]]:
    """A run and its first theta."""
    with Run(config, RunSettings(SEED)) as run:
        yield run, run.learner.init().theta


def some_results(num_tasks: int = 4) -> AdaptationResults:
    rng = np.random.default_rng(0)
    returns = rng.standard_normal((3, num_tasks, 5)).astype(np.float32)
    tasks = [{"goal": rng.standard_normal(2), "mass": float(i)} for i in range(num_tasks)]
    return AdaptationResults(returns, tasks, (0.1, 0.05), seed=9)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ((-1,), "num-steps: expected 0 or more, got -1"),
        ((2, (1.0, -0.5)), "step-size-schedule: .* got -0.5"),
        ((2, (float("nan"),)), "step-size-schedule: .* got nan"),
        ((2, (float("inf"),)), "step-size-schedule: .* got inf"),
    ],
)
def test_steps_that_cannot_be_taken(arguments: tuple[Any, ...], complaint: str):
    with pytest.raises(UsageError, match=complaint):
        step_scales(*arguments)


def test_returns_after_every_step_of_every_task():
    with untrained_run() as (run, theta):
        results = evaluate(run, theta)
        tasks_of = [evaluation_tasks(run, batch) for batch in range(2)]
        batches = [sample_adaptation(run, theta, tasks, (1.0, 1.0), i) for i, tasks in enumerate(tasks_of)]
    assert results.returns.shape == (3, 6, 3)
    assert results.step_sizes == (0.3, 0.3)
    assert results.seed == run.sampler.seed == SEED
    for batch, (tasks, rounds) in enumerate(zip(tasks_of, batches, strict=True)):
        of_batch = slice(3 * batch, 3 * batch + 3)
        assert str(results.tasks[of_batch]) == str(tasks)
        assert len(rounds) == 3
        for step, episodes in enumerate(rounds):
            np.testing.assert_array_equal(results.returns[step, of_batch], get_returns(episodes))
            for k, task in enumerate(episodes):
                np.testing.assert_allclose(get_returns([task])[0], task.rewards.sum(0))
                assert get_returns(episodes)[k].tolist() == get_returns([task])[0].tolist()


def test_the_tasks_are_those_of_no_training_iteration():
    with untrained_run() as (run, theta):
        sampler = run.sampler
        results = evaluate(run, theta)
        seen = [sampler.sample_tasks(3, iteration=i) for i in range(10)]
        expected = [sampler.sample_tasks(3, iteration=FIRST_EVALUATION + i) for i in range(2)]
    goals = {tuple(task["goal"]) for task in results.tasks}
    assert len(goals) == 6
    assert goals == {tuple(task["goal"]) for batch in expected for task in batch}
    assert not goals & {tuple(task["goal"]) for batch in seen for task in batch}


def test_evaluating_repeats_and_does_not_depend_on_what_was_sampled_before():
    with untrained_run() as (fresh, theta):
        expected = evaluate(fresh, theta)
    with untrained_run() as (used, theta):
        used.sampler.sample(used.sampler.sample_tasks(2, 0), theta, Recipe.of(CONFIG), 0)
        again = evaluate(used, theta)
        np.testing.assert_array_equal(expected.returns, again.returns)
        np.testing.assert_array_equal(expected.returns, evaluate(used, theta).returns)


def test_theta_is_what_is_tested():
    with untrained_run() as (run, theta):
        before = evaluate(run, theta)
        assert (evaluate(run, theta + 0.5).returns != before.returns).any()
        np.testing.assert_array_equal(evaluate(run, theta).returns, before.returns)


def test_given_tasks_are_one_batch():
    with untrained_run() as (run, theta):
        tasks = run.sampler.sample_tasks(5, 17)
        results = evaluate(run, theta, (0.5,), tasks)
        rounds = sample_adaptation(run, theta, tasks, (0.5, 0.5))
    assert str(results.tasks) == str(tasks)
    assert results.step_sizes == (0.15, 0.15)
    np.testing.assert_array_equal(results.returns, [get_returns(episodes) for episodes in rounds])


def test_a_batch_and_its_settings():
    settings = {"gamma": 0.5, "gae_lambda": 0.7, "bootstrap_truncated": True, "mean_over": "steps"}
    with untrained_run(CONFIG.model_copy(update=settings)) as (run, theta):
        tasks = evaluation_tasks(run, batch=1)
        rounds = sample_adaptation(run, theta, tasks, (0.2 / 0.3, 0.1 / 0.3), batch=1)
    with make_sampler(seed=SEED) as sampler:
        sampler.policy.set_vector(theta)
        train, valid = sampler.sample(
            tasks,
            num_steps=2,
            fast_lr=tuple(0.3 * (size / 0.3) for size in (0.2, 0.1)),
            **settings,
            iteration=FIRST_EVALUATION + 1,
        )
    assert identical((rounds[:2], rounds[2]), (train, valid))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((0,), ()),
        ((2,), (1.0, 1.0)),
        ((3, (1.0, 0.5)), (1.0, 0.5, 0.5)),
        ((4, (0.5,)), (0.5, 0.5, 0.5, 0.5)),
        ((1, (0.5, 0.25, 0.1)), (0.5,)),
        ((0, (0.5,)), ()),
    ],
)
def test_step_scales_and_sizes(arguments: tuple[Any, ...], expected: tuple[float, ...]):
    scales = step_scales(*arguments)
    assert scales == expected
    adaptation = GradientStep(make_policy("normal"), reinforce, 0.4)
    sizes = tuple(0.4 * scale for scale in expected)
    assert tuple(adaptation.step_size(scale) for scale in scales) == pytest.approx(sizes)


def test_means_and_standard_errors_are_over_tasks():
    results = some_results()
    np.testing.assert_allclose(results.means, results.returns.reshape(3, -1).mean(1), rtol=1e-5)
    for step in range(3):
        per_task = [float(np.mean(results.returns[step, task])) for task in range(4)]
        centred = [x - sum(per_task) / 4 for x in per_task]
        error = (sum(x * x for x in centred) / 3) ** 0.5 / 2
        assert results.standard_errors[step] == pytest.approx(error, rel=1e-5)
    assert results.means.dtype == results.standard_errors.dtype == np.float32


def test_one_task_has_no_standard_error():
    assert np.isnan(some_results(1).standard_errors).all()
    assert np.isfinite(some_results(1).means).all()


def test_results_are_saved_as_plain_arrays(tmp_path: Path):
    results = some_results()
    path = tmp_path / "folder" / "results.npz"
    results.save(path)
    with np.load(path, allow_pickle=False) as file:
        saved = dict(file)
    assert set(saved) == {
        *("train_returns", "valid_returns", "returns", "step_sizes", "seed", "policy"),
        *("task_goal", "task_mass"),
    }
    np.testing.assert_array_equal(saved["returns"], results.returns)
    np.testing.assert_array_equal(saved["train_returns"], results.returns[0])
    np.testing.assert_array_equal(saved["valid_returns"], results.returns[2])
    np.testing.assert_array_equal(saved["task_goal"], [task["goal"] for task in results.tasks])
    np.testing.assert_array_equal(saved["task_mass"], [0.0, 1.0, 2.0, 3.0])
    assert saved["step_sizes"].tolist() == [0.1, 0.05]
    assert saved["seed"] == 9
    assert [path.name for path in path.parent.iterdir()] == ["results.npz"]  # No temporary files.
