"""Environments of users: what they draw, return and never end."""

import random
from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.envs import make_env
from maml_rl.errors import UsageError
from tests.samplers.helpers import flat, identical, make_sampler, sample


def sampled(kind: str, num_workers: int = 0, **kwargs: Any) -> Any:
    name = f"tests.envs.peculiar:{kind}"
    with make_sampler(
        num_workers, name, {}, env=make_env(name, kwargs.pop("env_kwargs", {})), **kwargs
    ) as sampler:
        return sample(sampler)


@pytest.mark.parametrize("kind", ["NumPyStart", "NumPyTasks"])
def test_global_generators_follow_the_seed(kind: str):
    first = sampled(kind)
    np.random.seed(5)
    random.seed(5)
    torch.manual_seed(5)
    assert identical(sampled(kind), first)
    assert identical(sampled(kind, 2), first)
    assert not identical(sampled(kind, seed=1), first)


def test_items_and_rounds_draw_other_numbers():
    starts = [float(x) for episodes in flat(sampled("NumPyStart")) for x in episodes.observations[0, :, 0]]
    assert len(set(starts)) == len(starts)


def test_the_callers_generators_go_on_as_they_would_have():
    def numbers() -> list[float]:
        return [np.random.random(), torch.rand(1).item()]  # Python's own serve the checks of types, too.

    np.random.seed(3)
    torch.manual_seed(3)
    expected = numbers()
    np.random.seed(3)
    torch.manual_seed(3)
    sampled("NumPyStart")
    assert numbers() == expected


@pytest.mark.parametrize("num_workers", [0, 1])
def test_an_episode_without_an_end(num_workers: int, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match=r"not ended in 25,000 steps: .* max_episode_steps in env-kwargs"):
        sampled("NoEnd", num_workers)


@pytest.mark.filterwarnings("ignore:.*Expects", "ignore:.*The reward")  # Gymnasium says so, too.
def test_numbers_in_arrays_are_numbers():
    assert identical(sampled("OddNumbers"), sampled("Line"))


@pytest.mark.filterwarnings("ignore:.*The reward")
def test_a_reward_that_is_no_number():
    with pytest.raises(UsageError, match=r"step\(\) returned as reward \[1.0, 2.0\]: expected a number"):
        sampled("TwoRewards")


def test_tasks_may_come_as_an_array():
    assert identical(sampled("ArrayTasks"), sampled("Line"))


@pytest.mark.filterwarnings("ignore:.*")  # Of Gymnasium, in its own words.
@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("OldStep", r"fails in Gymnasium's hands: not enough values to unpack|step\(\) returned \("),
        ("OldReset", "fails in Gymnasium's hands: .* got an unexpected keyword argument 'seed'"),
        ("BareReset", r"reset\(\) returned array\(\["),
    ],
)
def test_the_interface_of_before_gymnasium(kind: str, said: str, num_workers: int):
    with pytest.raises(UsageError, match=rf"({said}).*; expected, as Gymnasium has"):
        sampled(kind, num_workers)


def test_a_smaller_inner_step_is_no_advice_for_what_the_environment_rewards():
    name = "tests.envs.odd_answers:WornOut"
    with (
        make_sampler(0, name, {}, env=make_env(name)) as sampler,
        pytest.raises(FloatingPointError, match=r"rewards are NaN or infinite in .* after 1 inner steps$"),
    ):
        sample(sampler, fast_lr=0.1)


@pytest.mark.parametrize("num_workers", [0, 1])
def test_no_environment_sees_an_action_that_is_not_finite(num_workers: int):
    name = "tests.envs.peculiar:CrashOnNaN"
    with (
        make_sampler(num_workers, name, {}, env=make_env(name)) as sampler,
        pytest.raises(
            FloatingPointError,
            match=r"actions are NaN or infinite in tasks .* after 1 inner steps: lower fast-lr",
        ),
    ):
        sample(sampler, fast_lr=1e20)
