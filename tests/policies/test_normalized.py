"""Policies with statistics among their parameters."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor
from torch.autograd import functional

from maml_rl.config import Config
from maml_rl.policies.base import Policy
from maml_rl.policies.extended import ExtendedPolicy
from maml_rl.policies.module import ModulePolicy
from maml_rl.policies.normalized import (
    FARTHEST,
    OBSERVATION_MEAN,
    OBSERVATION_SCALE,
    REWARD_SCALE,
    NormalizedPolicy,
)
from maml_rl.policies.registry import policy_for
from tests.builders import OBSERVATION_SIZE, both_families, make_policy
from tests.policies import own
from tests.policies.problems import TASKS, module_policy, random

STEPS = 5
MEAN = torch.linspace(-2.0, 3.0, OBSERVATION_SIZE, dtype=torch.float64)
SCALE = torch.linspace(0.5, 2.0, OBSERVATION_SIZE, dtype=torch.float64)


def theta_of(policy: Policy, inner: Policy) -> Tensor:
    """Random parameters for the policy inside, and statistics that are no longer those of the start."""
    parts = inner.layout.view(random(inner.layout.size, seed=1))
    return policy.layout.join(parts | {OBSERVATION_MEAN: MEAN, OBSERVATION_SCALE: SCALE})


def test_the_first_statistics_change_nothing():
    inner = make_policy("normal")
    policy = NormalizedPolicy(inner)
    assert [*policy.layout.shapes] == [*inner.layout.shapes, OBSERVATION_MEAN, OBSERVATION_SCALE]
    observations = random(7, OBSERVATION_SIZE, seed=0).float()
    seen = policy(observations).mean
    torch.testing.assert_close(seen, inner(observations).mean)


@both_families
def test_the_policy_sees_normalised_observations(family: str):
    inner = make_policy(family)
    policy = NormalizedPolicy(inner)
    theta = theta_of(policy, inner).expand(TASKS, -1)
    observations = 3 * random(TASKS, STEPS, 2, OBSERVATION_SIZE, seed=0)
    observations[0, 0, 0] = 1e3
    numbers = policy.outputs(observations, policy.unflatten(theta))
    seen = ((observations - MEAN) * SCALE).clamp(-FARTHEST, FARTHEST)
    expected = inner.outputs(seen, inner.unflatten(theta[:, : inner.layout.size].contiguous()))
    for number, wanted in zip(numbers, expected, strict=True):
        torch.testing.assert_close(number, wanted, rtol=0, atol=0)


@pytest.mark.parametrize("make", [lambda: make_policy("normal"), lambda: module_policy(own.PlainNormal)])
@pytest.mark.parametrize("rewards", [False, True], ids=["", "rewards too"])
def test_derivatives_are_autograds_and_zero_by_the_statistics(make: Callable[[], Policy], rewards: bool):
    inner = make()
    policy: ExtendedPolicy = NormalizedPolicy(inner)
    theta = policy.get_vector().double()
    if rewards:
        policy = ExtendedPolicy(policy, {REWARD_SCALE: torch.ones(1)})
        theta = torch.cat([theta, torch.tensor([4.0], dtype=torch.float64)])
    params = theta.repeat(TASKS, 1)
    params[:, : inner.layout.size] += 0.3 * random(TASKS, inner.layout.size, seed=3)
    observations = random(TASKS, STEPS, policy.input_size, seed=0)
    vectors = random(*params.shape, seed=4)
    still = torch.ones(params.shape[-1], dtype=torch.float64)
    still[inner.layout.size :] = 0.0

    def outputs(x: Tensor) -> tuple[Tensor, ...]:
        fixed = params * (1 - still) + x * still
        return tuple(policy.outputs(observations, policy.unflatten(fixed)))

    at = policy.linearise(observations, params)
    values, expected = functional.jvp(outputs, params, vectors)
    cotangent = [torch.randn_like(x) for x in values]
    for found, wanted in zip(at.jvp(vectors), expected, strict=True):
        torch.testing.assert_close(found, wanted)
    torch.testing.assert_close(at.vjp(cotangent), functional.vjp(outputs, params, tuple(cotangent))[1])

    def loss(x: Tensor) -> Tensor:
        return sum(((c * o).sum() for c, o in zip(cotangent, outputs(x), strict=True)), torch.tensor(0.0))

    product = at.hessian(cotangent).product(vectors, lambda tangent: [torch.zeros_like(x) for x in tangent])
    torch.testing.assert_close(product, functional.hvp(loss, params, vectors)[1])


def test_a_state_dict_has_the_names_of_theta_and_loads():
    inner = make_policy("normal")
    policy, other = NormalizedPolicy(inner), NormalizedPolicy(make_policy("normal"))
    policy.set_vector(theta_of(policy, inner).float())
    state = policy.state_dict()
    assert [*state] == [*policy.layout.shapes]
    other.load_state_dict(state)
    assert torch.equal(other.get_vector(), policy.get_vector())
    with pytest.raises(
        RuntimeError, match=rf"{OBSERVATION_MEAN}: expected shape \[{OBSERVATION_SIZE}\], got \[1\]"
    ):
        other.load_state_dict({**state, OBSERVATION_MEAN: torch.zeros(1)})
    assert torch.equal(other.get_vector(), policy.get_vector())


def test_modules_are_made_for_normalised_observations():
    images = spaces.Box(0, 255, (8, 8, 3), np.uint8)
    config = Config(env_name="x", policy="cnn", policy_kwargs={"channels": [2]}, normalize_observations=True)
    policy = policy_for(config, images, spaces.Discrete(2))
    assert isinstance(policy, NormalizedPolicy)
    assert isinstance(policy.policy, ModulePolicy)
    assert policy.policy.module.scale == 1.0  # Pixels are divided by 255 where they are not normalised.


def test_set_vector_sets_the_statistics():
    inner = make_policy("normal")
    policy = NormalizedPolicy(inner)
    theta = theta_of(policy, inner).float()
    policy.set_vector(theta)
    assert torch.equal(policy.get_vector(), theta)
    assert torch.equal(policy.own_params()[OBSERVATION_MEAN], MEAN.float())
