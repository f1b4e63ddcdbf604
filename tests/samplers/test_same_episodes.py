"""The same seed gives the same bytes, whoever samples; other seeds, tasks or iterations give others."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.episode import EpisodeData
from tests.samplers.helpers import flat, identical, make_sampler, sample

KINDS: dict[str, dict[str, Any]] = {
    "2DNavigation-v0": {"max_episode_steps": 12},
    "TabularMDP-v0": {},
    "GaussianBandit-K5-v0": {},
    "HalfCheetahVel-v2": {"max_episode_steps": 6, "normalization_scale": 10.0},
    "AntPos-v1": {"max_episode_steps": 12},
}
each_kind = pytest.mark.parametrize("env_name", KINDS)


@each_kind
def test_workers_sample_what_the_own_process_samples(backend: str, env_name: str):
    def episodes(num_workers: int):
        with make_sampler(num_workers, env_name, KINDS[env_name], backend=backend) as sampler:
            return sample(sampler, num_tasks=5, num_steps=2)

    reference = episodes(0)
    assert identical(reference, episodes(0))
    assert identical(reference, episodes(1))
    assert identical(reference, episodes(2))


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def test_the_number_of_torch_threads_changes_nothing(backend: str):
    """Wide observations: linear algebra that would use several threads."""
    kwargs = {"max_episode_steps": 8}

    def episodes(num_workers: int):
        with make_sampler(
            num_workers, "AntVel-v2", kwargs, 10, hidden_sizes=(64, 64), backend=backend
        ) as sampler:
            return sample(sampler, num_tasks=4)

    reference = episodes(1)
    for number in (1, 4):
        with torch_threads(number):
            assert identical(reference, episodes(0))
            assert torch.get_num_threads() == number


def test_baselines_of_wide_observations_are_fitted_with_any_number_of_threads():
    """The batched LU decomposition of torch 2.13 with MKL returns garbage here, if it has several threads."""
    generator = torch.Generator().manual_seed(0)
    observations = torch.randn(3, 40, 10, 125, generator=generator)
    rewards = torch.randn(3, 40, 10, generator=generator)
    data = EpisodeData(observations, torch.zeros(3, 40, 10, 8), rewards, torch.full((3, 10), 40))
    together, alone = LinearFeatureBaseline(125), LinearFeatureBaseline(125)
    with torch_threads(4):
        together.fit_data(data, 0.95)
        for task in range(3):
            observations, actions, rewards, lengths = (x[task] for x in data[:4])
            alone.fit_data(EpisodeData(observations, actions, rewards, lengths), 0.95)
            torch.testing.assert_close(together.weight[task], alone.weight, rtol=1e-4, atol=1e-6)


def test_more_tasks_to_an_item_change_the_rounding_alone():
    def episodes(tasks_per_item: int):
        with make_sampler(tasks_per_item=tasks_per_item) as sampler:
            return sample(sampler, num_tasks=5)

    reference = flat(episodes(1))
    for tasks_per_item in (2, 3, 10):
        for one, other in zip(reference, flat(episodes(tasks_per_item)), strict=True):
            assert one.lengths == other.lengths
            torch.testing.assert_close(one.observations, other.observations, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(one.actions, other.actions, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(one.rewards, other.rewards, rtol=1e-4, atol=1e-5)
            torch.testing.assert_close(one.advantages, other.advantages, rtol=1e-3, atol=1e-3)


@each_kind
def test_other_seeds_give_other_tasks_and_episodes(env_name: str):
    def episodes(seed: int):
        with make_sampler(0, env_name, KINDS[env_name], seed=seed) as sampler:
            tasks = make_sampler(0, env_name, KINDS[env_name], seed=0).sample_tasks(2)  # The same for both.
            return sampler.sample_tasks(64), sampler.sample(tasks)

    tasks, one = episodes(1)
    other_tasks, other = episodes(2)
    assert str(tasks) != str(other_tasks)
    assert not any(identical(([], [a]), ([], [b])) for a, b in zip(flat(one), flat(other), strict=True))


def test_calls_count_iterations_that_can_also_be_named():
    with make_sampler() as sampler:
        tasks = [sampler.sample_tasks(3) for _ in range(2)]
        calls = [sampler.sample(tasks[0]) for _ in range(2)]
        assert str(tasks[0]) != str(tasks[1])
        assert not identical(*calls)
        assert str(sampler.sample_tasks(3, iteration=1)) == str(tasks[1])
        assert identical(sampler.sample(tasks[0], iteration=0), calls[0])
        assert identical(sampler.sample(tasks[0]), calls[1])  # And goes on counting from there.


def test_tasks_steps_and_phases_have_streams_of_their_own():
    with make_sampler() as sampler:
        (task,) = sampler.sample_tasks(1)
        # Two equal tasks, and steps of size 0: only the streams can make a difference.
        train, valid = sampler.sample([task, task], num_steps=2, fast_lr=0.0)
    everything = [*train[0], *train[1], *valid]
    for i, one in enumerate(everything):
        for other in everything[:i]:
            assert not torch.equal(one.actions, other.actions)


def test_a_seed_that_is_not_given_is_drawn_and_told():
    def seed_and_tasks(seed: int | None):
        with make_sampler(seed=seed) as sampler:
            return sampler.seed, str(sampler.sample_tasks(3))

    seed, tasks = seed_and_tasks(None)
    other_seed, _ = seed_and_tasks(None)
    assert seed != other_seed
    assert seed_and_tasks(seed) == (seed, tasks)


def test_the_policys_parameters_at_the_call_are_used(backend: str):
    with make_sampler(1, backend=backend) as sampler:
        tasks = sampler.sample_tasks(2)
        before = sampler.sample(tasks, iteration=0)
        futures = sampler.sample_async(tasks, iteration=0)
        theta = sampler.policy.get_vector()
        sampler.policy.set_vector(theta + 1.0)  # Too late for the call above.
        assert identical(before, sampler.sample_wait(futures))
        assert not identical(before, sampler.sample(tasks, iteration=0))
        sampler.policy.set_vector(theta)
        assert identical(before, sampler.sample(tasks, iteration=0))


def test_global_generators_are_neither_used_nor_changed():
    torch.manual_seed(0)
    state = torch.random.get_rng_state()
    with make_sampler() as sampler:
        first = sample(sampler)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(1)
    with make_sampler() as sampler:
        assert identical(first, sample(sampler))
