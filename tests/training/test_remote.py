"""Updates whose tasks stay with the workers have the bits of local ones, whatever dies, for every method."""

import os
import threading
from collections.abc import Sequence
from itertools import chain
from typing import Any, cast

import numpy as np
import psutil
import pytest
import torch
from torch import Tensor

from maml_rl.adaptation import Adaptation
from maml_rl.config import Config, LearnerName
from maml_rl.config.methods import METHODS
from maml_rl.errors import UsageError, WorkerError
from maml_rl.metalearners import MetaUpdate
from maml_rl.metalearners.tasks import Answer, HeldTasks
from maml_rl.samplers import Recipe
from maml_rl.samplers.backends.pool import PoolBackend
from maml_rl.samplers.backends.ray_cluster import RayCluster
from maml_rl.samplers.jobs import ItemJob, QuestionJob
from maml_rl.samplers.plan import Question, Reply
from maml_rl.stacked import StackedEpisodes
from maml_rl.training import Run, RunSettings, train
from tests.builders import same_bits
from tests.samplers.helpers import process_id

METHODS_THAT_ASK = [name for name, method in METHODS.items() if method.load().asks_tasks]
SIZES = {
    "meta_batch_size": 5,
    "fast_batch_size": 3,
    "tasks_per_item": 2,
    "num_steps": 2,
}


def make_run(
    method: str = "maml-trpo", learner: LearnerName = "local", num_workers: int = 0, **keys: Any
) -> Run:
    env = {"env_name": "2DNavigation-v0", "env_kwargs": {"max_episode_steps": 8}}
    config = Config(metalearner=method, hidden_sizes=(6,), **{**env, **SIZES, "num_batches": 2, **keys})
    return Run(config, RunSettings(seed=3, num_workers=num_workers, learner=learner))


def trained(**settings: Any) -> tuple[dict[str, Any], Tensor]:
    """The metrics of the last update, and theta."""
    with make_run(**settings) as run:
        *_, last = train(run)
        return dict(last.metrics), last.state.theta


def workers_of(run: Run) -> list[psutil.Process]:
    backend = run.sampler._backend
    assert isinstance(backend, PoolBackend)
    return [psutil.Process(process_id(worker)) for worker in backend._pool._workers]


def updated(run: Run, *, kill: bool = False) -> MetaUpdate:
    """The first update; all workers are killed right before it, after sampling."""
    state = run.init()
    tasks = run.sampler.sample_tasks(run.config.meta_batch_size, 0)
    rounds = run.sampler.sample_async(tasks, state.theta, Recipe.of(run.config), 0)
    run.sampler.sample_wait(rounds)
    for worker in workers_of(run) if kill else ():
        worker.kill()
    return run.update(state, rounds)


def test_all_methods_that_adapt_by_gradients_can_be_asked():
    assert set(METHODS) - set(METHODS_THAT_ASK) == {"rl2"}


@pytest.mark.parametrize("method", METHODS_THAT_ASK)
def test_a_remote_learner_has_the_bits_of_a_local_one(method: str):
    metrics, theta = trained(method=method)
    remote_metrics, remote_theta = trained(method=method, learner="remote")
    assert same_bits(remote_theta, theta)
    assert remote_metrics == metrics


@pytest.mark.parametrize(
    "keys",
    [
        {"fisher_fraction": 0.5},
        {"normalize_rewards": True},
        {"mean_over": "steps"},
        {"inner_loss": "loaded-dice"},
        {"num_steps": 0},
        {"tasks_per_item": 1},
        {"tasks_per_item": 9},
        {"env_name": "Bandit-K5-v0", "env_kwargs": {}},
    ],
    ids=str,
)
def test_whatever_the_keys(keys: dict[str, Any]):
    _, theta = trained(**keys)
    assert same_bits(trained(learner="remote", **keys)[1], theta)


@pytest.mark.parametrize("num_workers", [1, 2])
def test_neither_workers_nor_their_deaths_change_a_bit(num_workers: int, caplog: pytest.LogCaptureFixture):
    with make_run() as run:
        expected = updated(run)
    with make_run(learner="remote", num_workers=num_workers) as run:
        assert same_bits(updated(run).state.theta, expected.state.theta)
        killed = updated(run, kill=True)
        assert run.sampler.restarts == num_workers
    assert same_bits(killed.state.theta, expected.state.theta)
    assert killed.metrics == expected.metrics


def test_what_is_told_of_the_episodes_is_what_came_of_them():
    with make_run() as run, make_run(learner="remote") as remote:
        told, whole = (
            each.sampler.sample(each.sampler.sample_tasks(2, 0), each.init().theta, Recipe.of(each.config), 0)
            for each in (remote, run)
        )
    for one, other in zip(chain(*told), chain(*whole), strict=True):
        assert same_bits(one.rewards, other.rewards)
        assert one.lengths == other.lengths
        for name in ("observations", "actions"):
            assert getattr(one, name).is_meta
            assert getattr(one, name).shape == getattr(other, name).shape
        assert one.advantages.is_meta


def test_other_episodes_than_those_sampled_last_are_refused():
    """Their workers have let go of them."""
    with make_run(learner="remote") as run:
        state, recipe = run.init(), Recipe.of(run.config)
        tasks = run.sampler.sample_tasks(2, 0)
        first = run.sampler.sample_async(tasks, state.theta, recipe, 0)
        second = run.sampler.sample_async(tasks, state.theta, recipe, 0)
        with pytest.raises(ValueError, match="workers hold the episodes that were sampled last"):
            run.update(state, first)
        run.update(state, second)


def test_an_item_is_held_for_the_theta_that_sampled_it():
    """Whatever was sampled before under the same iteration's name."""
    with make_run() as run:
        expected = updated(run)
    with make_run(learner="remote") as run:
        tasks = run.sampler.sample_tasks(5, 0)
        run.sampler.sample(tasks, 1.5 * run.init().theta, Recipe.of(run.config), 0)
        assert same_bits(updated(run).state.theta, expected.state.theta)


def test_a_reply_that_comes_again_changes_nothing():
    """As of a worker that dies right after it has answered: its question is put to another."""
    job = QuestionJob(cast(Question, None), cast(ItemJob, None))
    job.deliver(Reply(((np.ones(1),),)))
    job.deliver(Reply(((np.ones(1),),)))
    assert job.future.result() == ((np.ones(1),),)


def test_a_method_that_cannot_be_made_leaves_no_worker():
    before = threading.active_count()
    with pytest.raises(UsageError, match="bootstrap-truncated"):
        make_run("rl2", num_workers=1, bootstrap_truncated=True)
    assert threading.active_count() == before  # Each worker has a thread that waits for it.


class EndsItsProcess:
    """Tasks on which a worker dies."""

    def __init__(self, adaptation: Adaptation, theta: Tensor, batches: Sequence[StackedEpisodes]):
        pass

    def end(self) -> None:
        os._exit(3)


def test_three_deaths_on_a_question_blame_the_tasks():
    with make_run(learner="remote", num_workers=1) as run:
        theta = run.init().theta
        rounds = run.sampler.sample_async(run.sampler.sample_tasks(2, 0), theta, Recipe.of(run.config), 0)
        with (
            run.learner.tasks(EndsItsProcess, theta, rounds) as tasks,
            pytest.raises(WorkerError, match="3 workers died one after another on the same tasks"),
        ):
            tasks.ask("end")


def test_tasks_whose_numbers_broke_are_named_as_they_are_locally():
    messages = []
    for learner in ("local", "remote"):
        with make_run(learner=learner) as run:
            state = run.init()
            tasks = run.sampler.sample_tasks(5, 0)
            rounds = run.sampler.sample_async(tasks, state.theta, Recipe.of(run.config), 0)
            with (
                run.learner.tasks(Breaks, state.theta, rounds) as asked,
                pytest.raises(FloatingPointError) as error,
            ):
                asked.ask("break_some").mean("gradients", hint=": mend them")
            messages.append(str(error.value))
    assert messages == ["gradients are NaN or infinite in tasks [1, 3]: mend them"] * 2


class Breaks:
    """Tasks of which the second of each item answers with NaN, if there are two."""

    def __init__(self, adaptation: Adaptation, theta: Tensor, batches: Sequence[StackedEpisodes]):
        self._tasks = len(batches[-1].weights)

    def break_some(self) -> Tensor:
        numbers = torch.zeros(self._tasks, 4)
        numbers[1:, 2] = torch.nan
        return numbers


def test_answers_are_summed_in_float64_in_the_order_of_tasks():
    class Told:
        def __init__(self, vectors: Tensor):
            self._vectors = vectors

        def ask(self, factor: float) -> tuple[Tensor, Tensor]:
            return factor * self._vectors, self._vectors[:, 0]

    vectors = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)) * 1e4
    answer = HeldTasks(map(Told, vectors.split(2))).ask("ask", 2.0)
    expected = np.zeros(3)
    for vector in (2.0 * vectors).numpy().astype(np.float64):
        expected += vector
    np.testing.assert_allclose(answer.sums[0].numpy(), expected, rtol=1e-15)
    assert answer.sums[0].dtype == torch.float64
    assert same_bits(answer.numbers[0], vectors[:, 0])
    assert isinstance(answer, Answer)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"method": "rl2"}, "--learner remote: updates of rl2 need all episodes in one place"),
        ({"normalize_observations": True}, "--learner remote: normalize-observations needs all episodes"),
    ],
)
def test_what_needs_the_episodes_themselves_is_refused(settings: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        make_run(learner="remote", **settings)


def test_a_gpu_is_refused():
    with pytest.raises(UsageError, match="--learner remote computes with workers, on CPUs"):
        RunSettings(seed=1, device="cuda", learner="remote")


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS_THAT_ASK)
def test_actors_hold_episodes_too(method: str):
    pytest.importorskip("ray")
    with make_run(method) as run:
        expected = updated(run)
    config = run.config
    with Run(config, RunSettings(seed=3, num_workers=2, learner="remote", ray=RayCluster())) as run:
        assert same_bits(updated(run).state.theta, expected.state.theta)
        assert same_bits(updated(run, kill=True).state.theta, expected.state.theta)
