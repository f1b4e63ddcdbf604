"""The sampler itself, which owns no policy: theta comes with each call; episodes are ``[round][task]``."""

from functools import partial

import pytest
import torch
from torch import Tensor

from maml_rl.adaptation import GradientStep
from maml_rl.advantages import Credit
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import Config
from maml_rl.envs import make_env
from maml_rl.envs.copies import EnvCopies
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.errors import UsageError
from maml_rl.losses import reinforce
from maml_rl.samplers import Recipe, Sampler
from maml_rl.samplers.backends.base import Backend
from maml_rl.samplers.backends.in_process import InProcessBackend
from maml_rl.samplers.backends.processes import ProcessBackend
from maml_rl.samplers.worker import SamplerWorker
from tests.samplers.helpers import NAVIGATION, flat, identical, make_policy, make_sampler, sample

RECIPE = Recipe(3, (1.0, 0.5), Credit(0.9, 0.8, bootstrap_truncated=True, mean_over="steps"))
FAST_LR = 0.5
with_or_without_workers = pytest.mark.parametrize("num_workers", [0, 1, 2])


def sampler_of(num_workers: int, seed: int = 0) -> tuple[Sampler, Tensor]:
    """A sampler of navigation, two tasks to a work item, and the theta that `make_sampler`'s policy has."""
    env = make_env("2DNavigation-v0", NAVIGATION)
    policy = make_policy(env)
    theta = policy.get_vector()
    policy.set_vector(torch.full_like(theta, torch.nan))  # A template's own parameters do not matter.
    adaptation = GradientStep(policy, reinforce, FAST_LR)
    copies = EnvCopies("2DNavigation-v0", NAVIGATION)
    make_worker = partial(SamplerWorker, copies, adaptation, LinearFeatureBaseline(2))
    backend: Backend = InProcessBackend(make_worker)
    if num_workers:
        backend = ProcessBackend(make_worker, num_workers)
    return Sampler(backend, EnvTaskSpace(env), seed, tasks_per_item=2), theta


@with_or_without_workers
def test_the_episodes_are_those_of_the_samplers_of_2020(num_workers: int):
    sampler, theta = sampler_of(num_workers)
    with sampler, make_sampler(num_workers) as facade:
        tasks = sampler.sample_tasks(5, iteration=3)
        assert str(tasks) == str(facade.sample_tasks(5, iteration=3))
        *train, valid = sampler.sample(tasks, theta, RECIPE, iteration=7)
        expected = facade.sample(
            tasks,
            num_steps=2,
            fast_lr=[FAST_LR, FAST_LR / 2],
            gamma=0.9,
            gae_lambda=0.8,
            bootstrap_truncated=True,
            mean_over="steps",
            iteration=7,
        )
    assert identical((train, valid), expected)


@with_or_without_workers
def test_rounds_hold_the_tasks_in_order(num_workers: int):
    sampler, theta = sampler_of(num_workers)
    with sampler:
        tasks = sampler.sample_tasks(5, iteration=0)
        futures = sampler.sample_async(tasks, theta, RECIPE, iteration=0)
        assert [len(of_round) for of_round in futures] == [5, 5, 5]
        rounds = sampler.sample_wait(futures)
        assert [[f.result() for f in of_round] for of_round in futures] == rounds
        for episodes in rounds:
            for task, batch in zip(tasks, episodes, strict=True):
                position = batch.observations + batch.actions.clamp(-0.1, 0.1)
                distance = (position - torch.as_tensor(task["goal"])).norm(dim=-1)
                torch.testing.assert_close(batch.rewards, -distance.float())
        assert sampler.sample([], theta, RECIPE, iteration=0) == [[], [], []]
        (only,) = sampler.sample(tasks[:1], theta, Recipe(2, (), Credit(0.9)), iteration=0)
        assert [batch.batch_size for batch in only] == [2]
        assert sampler.seconds_adapting > 0


@with_or_without_workers
def test_theta_is_read_at_the_call(num_workers: int):
    """What becomes of the tensor afterwards, in place, is of no account."""
    sampler, theta = sampler_of(num_workers)
    with sampler:
        tasks = sampler.sample_tasks(4, iteration=0)
        expected = sampler.sample(tasks, theta.clone(), RECIPE, iteration=0)
        futures = sampler.sample_async(tasks, theta, RECIPE, iteration=0)
        theta += 1.0
        assert identical((sampler.sample_wait(futures), []), (expected, []))
        assert not identical((sampler.sample(tasks, theta, RECIPE, iteration=0), []), (expected, []))


def test_theta_may_need_a_gradient():
    sampler, theta = sampler_of(0)
    with sampler:
        tasks = sampler.sample_tasks(2, iteration=0)
        expected = sampler.sample(tasks, theta, RECIPE, iteration=0)
        again = sampler.sample(tasks, theta.requires_grad_(), RECIPE, iteration=0)
    assert identical((expected, []), (again, []))
    assert not any(batch.advantages.requires_grad for batch in flat((again, [])))


def test_calls_leave_no_trace_in_later_ones():
    """Streams are named by the iteration alone: nothing is counted."""
    sampler, theta = sampler_of(0)
    with sampler:
        tasks = sampler.sample_tasks(2, iteration=1)
        first = sampler.sample(tasks, theta, RECIPE, iteration=0)
        other = sampler.sample(tasks, theta, RECIPE, iteration=1)
        assert str(sampler.sample_tasks(2, iteration=1)) == str(tasks)
        assert identical((sampler.sample(tasks, theta, RECIPE, iteration=0), []), (first, []))
    assert not identical((first, []), (other, []))


@with_or_without_workers
def test_a_closed_sampler_says_so(num_workers: int):
    sampler, theta = sampler_of(num_workers)
    tasks = sampler.sample_tasks(2, iteration=0)
    sampler.close()
    sampler.close()
    with pytest.raises(RuntimeError, match="this sampler is closed"):
        sampler.sample_async(tasks, theta, RECIPE, iteration=0)


def test_the_recipe_of_a_config():
    config = Config(
        env_name="a",
        gamma=0.5,
        gae_lambda=0.25,
        bootstrap_truncated=True,
        mean_over="steps",
        fast_batch_size=7,
        num_steps=3,
        fast_lr=0.3,
    )
    credit = Credit(0.5, 0.25, bootstrap_truncated=True, mean_over="steps")
    assert Recipe.of(config) == Recipe(7, (1.0, 1.0, 1.0), credit)
    assert Recipe.of(config, [1.0, 0.5]) == Recipe(7, (1.0, 0.5), credit)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_policy_of_double_precision_is_refused_in_one_line(num_workers: int):
    torch.set_default_dtype(torch.float64)
    try:
        with (
            make_sampler(num_workers) as sampler,
            pytest.raises(UsageError, match=r"theta: expected float32, got float64: call torch\.set_def"),
        ):
            sample(sampler)
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_what_the_default_is_later_changes_nothing(num_workers: int):
    with make_sampler(num_workers) as sampler:
        expected = sample(sampler)
    with make_sampler(num_workers) as sampler:
        torch.set_default_dtype(torch.float64)
        try:
            assert identical(expected, sample(sampler))
        finally:
            torch.set_default_dtype(torch.float32)
