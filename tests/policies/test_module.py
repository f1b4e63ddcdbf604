"""`ModulePolicy`: the same numbers as closed forms give, names, buffers, threads."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor, nn

from maml_rl.config import Config
from maml_rl.losses import Objective, clipped_surrogate, likelihood_ratio, mean_kl
from maml_rl.policies import CategoricalMLPPolicy, NormalMLPPolicy, Policy
from maml_rl.policies.categorical_mlp import MultiCategoricalMLPPolicy
from maml_rl.policies.factory import perceptron_policy
from maml_rl.policies.module import ModulePolicy
from maml_rl.training import Run, RunSettings, train
from tests.builders import both_families, first_or_second_order
from tests.policies import own
from tests.policies.problems import TASKS, chunk, module_policy, random, random_theta, rounds

HIDDEN, SIZES = (4, 3), (2, 3)
FEW = spaces.MultiDiscrete([3])
all_families = pytest.mark.parametrize("family", ["normal", "categorical", "choices"])


def pair(family: str) -> tuple[Policy, ModulePolicy]:
    """A perceptron with closed forms, and the same as a plain module."""
    closed: Policy
    if family == "normal":
        closed = NormalMLPPolicy(2, 2, HIDDEN, torch.tanh)
        return closed, ModulePolicy(own.PlainNormal(own.LINE, own.MOVES, HIDDEN), own.LINE, own.MOVES)
    if family == "choices":
        closed = MultiCategoricalMLPPolicy(2, SIZES, HIDDEN, torch.tanh)
        several = spaces.MultiDiscrete(list(SIZES))
        return closed, ModulePolicy(own.PlainCategorical(own.LINE, several, HIDDEN), own.LINE, several)
    closed = CategoricalMLPPolicy(2, 3, HIDDEN, torch.tanh)
    return closed, ModulePolicy(own.PlainCategorical(own.LINE, own.CHOICES, HIDDEN), own.LINE, own.CHOICES)


def close(actual: Any, expected: Any) -> None:
    for x, y in zip(actual, expected, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-9)


def test_a_choice_of_one_kind_is_the_categorical_policy_to_the_bit():
    keys = (HIDDEN, "tanh", 1.0, 1.0)
    one, several = (perceptron_policy(own.LINE, space, *keys) for space in (own.CHOICES, FEW))
    params = random(TASKS, one.layout.size, seed=0)
    observations = random(TASKS, 5, 2, seed=2)
    ours, theirs = (policy.linearise(observations, params) for policy in (several, one))
    assert torch.equal(*(torch.cat([*each.pi]) for each in (ours, theirs)))
    weights, actions = random(TASKS, 5, seed=3), torch.arange(10).reshape(TASKS, 5) % 3
    scores = ours.pi.score(actions[..., None], weights), theirs.pi.score(actions, weights)
    assert torch.equal(ours.vjp(scores[0]), theirs.vjp(scores[1]))


@all_families
@pytest.mark.parametrize("steps", [1, 5])
def test_products_equal_the_closed_form(family: str, steps: int):
    closed, generic = pair(family)
    assert generic.layout.shapes == closed.layout.shapes
    params, vectors = (random(TASKS, closed.layout.size, seed=i) for i in range(2))
    ours, theirs = (p.linearise(random(TASKS, steps, 2, seed=2), params) for p in (generic, closed))
    close(ours.pi, theirs.pi)
    assert not any(x.requires_grad for x in ours.pi)
    cotangent = [random(*x.shape, seed=3 + i) for i, x in enumerate(theirs.pi)]
    scales = [random(*x.shape, seed=5 + i) for i, x in enumerate(theirs.pi)]

    def cotangent_dot(tangent: Any) -> list[Tensor]:
        return [scale * x for scale, x in zip(scales, tangent, strict=True)]

    for _ in range(2):  # Products leave no trace.
        close(ours.jvp(vectors), theirs.jvp(vectors))
        close([ours.vjp(cotangent)], [theirs.vjp(cotangent)])
        products = [x.hessian(cotangent).product(vectors, cotangent_dot) for x in (ours, theirs)]
        close(products[:1], products[1:])
        assert not products[0].requires_grad


@all_families
@first_or_second_order
@pytest.mark.parametrize("inner_steps", [0, 1, 2])
def test_meta_gradients_and_fisher_products_equal_the_closed_form(family: str, first_order, inner_steps: int):
    closed, generic = pair(family)
    theta = random_theta(closed)
    batches = rounds(closed, theta, inner_steps)
    ours, theirs = (chunk(p, theta, batches, first_order=first_order) for p in (generic, closed))
    close(ours.at_old(), theirs.at_old())
    vector, other = (random(theta.numel(), seed=i) for i in (7, 8))
    close([ours.fisher_product(vector)], [theirs.fisher_product(vector)])
    close(ours.at(theta + 0.1 * other), theirs.at(theta + 0.1 * other))
    close(ours.evaluate(theta + 0.1 * other), theirs.evaluate(theta + 0.1 * other))


@both_families
def test_objectives_of_every_round_equal_the_closed_form(family: str):
    """As ProMP's: cotangents come in before each inner step."""

    def value(rounds: Any) -> Tensor:
        return clipped_surrogate(rounds[-1].pi, rounds[-1].batch, 0.3) + sum(
            mean_kl(*each) for each in rounds[:-1]
        )

    closed, generic = pair(family)
    theta = random_theta(closed)
    batches = rounds(closed, theta, 2)
    moved = theta + 0.1 * random(theta.numel(), seed=8)
    ours, theirs = (chunk(p, theta, batches, likelihood_ratio, Objective(value)) for p in (generic, closed))
    close(ours.at(moved), theirs.at(moved))


@pytest.mark.parametrize(
    "method", [{"cg_damping": 0.1}, {"metalearner": "promp"}], ids=["maml-trpo", "promp"]
)
def test_training_equals_that_of_the_closed_form(method: dict[str, Any]):
    """To rounding. With next to no damping, conjugate gradient would turn the first step by a quarter, as it
    does too where theta is moved by a rounding error."""

    def config(**changes: Any) -> Config:
        return Config(
            env_name="2DNavigation-v0",
            env_kwargs={"max_episode_steps": 20},
            fast_batch_size=10,
            meta_batch_size=8,
            tasks_per_item=4,
            num_batches=3,
            **method,
            **changes,
        )

    plain = {"policy": "tests.policies.own:PlainNormal", "policy_kwargs": {"hidden_sizes": [16, 16]}}
    with (
        Run(config(hidden_sizes=(16, 16)), RunSettings(seed=1)) as closed,
        Run(config(**plain), RunSettings(seed=1)) as generic,
    ):
        start = closed.learner.init()
        assert generic.learner.layout.shapes == closed.learner.layout.shapes
        expected, found = (list(train(run, start)) for run in (closed, generic))
    for a, b in zip(expected, found, strict=True):
        assert (b.state.theta - a.state.theta).norm() < 1e-3 * (a.state.theta - start.theta).norm()
        for name, number in a.metrics.items():
            assert b.metrics[name] == pytest.approx(number, rel=1e-3, abs=1e-4), name


@pytest.mark.parametrize("lead", [(), (1,), (4,), (5, 3)], ids=str)
@pytest.mark.parametrize("kind", [own.PlainNormal, own.PlainCategorical, own.FixedStd])
def test_stacked_parameters_equal_a_loop_over_tasks(kind: type[nn.Module], lead: tuple[int, ...]):
    policy = module_policy(kind, own.CHOICES if kind is own.PlainCategorical else own.MOVES)
    vectors = policy.get_vector() + 0.3 * random(3, policy.layout.size, seed=0).float()
    observations = random(3, *lead, 2, seed=1).float()
    together = policy(observations, policy.unflatten(vectors))
    assert together.batch_shape == (3, *lead)
    for n in range(3):
        alone = policy(observations[n], policy.unflatten(vectors[n]))
        for name in ("logits",) if kind is own.PlainCategorical else ("mean", "stddev"):
            torch.testing.assert_close(getattr(together, name)[n], getattr(alone, name), rtol=1e-5, atol=1e-6)


def test_observations_of_another_size_are_refused():
    policy = module_policy(own.PlainNormal)
    with pytest.raises(RuntimeError):
        policy(torch.zeros(3, 4))


def test_own_parameters_are_the_default_and_have_gradients():
    policy = module_policy(own.PlainNormal)
    x = torch.randn(4, 2)
    mean, log_std = policy.module(x)
    pi = policy(x)
    assert torch.equal(pi.mean, mean)
    torch.testing.assert_close(pi.stddev, log_std.exp().expand(4, 2))
    pi.log_prob(torch.zeros(4, 2)).sum().backward()
    assert all(param.grad is not None for param in policy.parameters())


@pytest.mark.parametrize("kind", [own.Lazy, own.Dropout, own.Distributions, own.FixedStd, own.a_function])
@pytest.mark.filterwarnings("ignore:Lazy modules are a new feature")
def test_what_modules_may_do(kind: Any):
    policy = module_policy(kind)
    theta = random_theta(policy)
    at = chunk(policy, theta, rounds(policy, theta))
    assert all(x.isfinite().all() for x in (*at.at_old(), at.fisher_product(theta)))


def test_it_stays_in_eval_mode():
    policy = module_policy(own.Dropout).train()
    assert not policy.module.training
    x = torch.ones(4, 2)
    assert torch.equal(policy(x).mean, policy.module(x)[0])


def test_observations_come_in_the_shape_of_their_space():
    space, seen = spaces.Box(-1.0, 1.0, (3, 4, 2), np.float32), []

    class Seeing(own.Linear):
        def forward(self, x: Tensor) -> Any:
            seen.append(tuple(x.shape))
            return super().forward(x)

    policy = ModulePolicy(Seeing(space, own.CHOICES), space, own.CHOICES)
    assert policy.input_size == 24
    seen.clear()
    policy.outputs(torch.zeros(5, 6, 24), policy.unflatten(policy.get_vector()))
    policy.outputs(torch.zeros(5, 6, 24), policy.unflatten(policy.get_vector().expand(5, -1)))
    assert seen == [(30, 3, 4, 2), (6, 3, 4, 2)]


@pytest.mark.parametrize("actions", [own.MOVES, own.CHOICES])
def test_noise_is_as_the_closed_form_draws_it(actions: spaces.Space[Any]):
    continuous = actions is own.MOVES
    closed = NormalMLPPolicy(2, 2) if continuous else CategoricalMLPPolicy(2, 3)
    policy = module_policy(own.PlainNormal if continuous else own.PlainCategorical, actions)
    ours, theirs = (p.noise(np.random.default_rng(0), (7, 3)) for p in (policy, closed))
    np.testing.assert_array_equal(ours, theirs)
    assert ours.dtype == np.float32
