"""What `ModulePolicy` holds: parameters, buffers, and copies of the module for whoever runs it."""

import copy
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cloudpickle
import torch
from torch import Tensor

from tests.builders import same_bits
from tests.policies import own
from tests.policies.problems import chunk, module_policy, random, random_theta, rounds


def test_update_params_takes_a_gradient_step_and_leaves_buffers():
    policy = module_policy(own.WithBuffers)
    own_params = policy.own_params()
    loss = policy(torch.randn(4, 2)).log_prob(torch.ones(4, 2)).sum()
    updated = policy.update_params(loss, step_size=0.1)
    assert list(updated) == list(own_params)
    for name, x in own_params.items():
        assert torch.equal(updated[name], x) == (name not in policy.moving), name


def test_names_are_the_modules_own_and_its_state_dict_loads():
    policy = module_policy(own.WithBuffers)
    fresh = own.WithBuffers(own.LINE, own.MOVES)
    assert list(policy.layout.shapes) == list(policy.state_dict()) == list(fresh.state_dict())
    assert [name for name, _ in policy.named_parameters()] == [name for name, _ in fresh.named_parameters()]
    policy.load_state_dict(fresh.state_dict(), strict=True)
    assert torch.equal(policy.get_vector(), policy.layout.join(fresh.state_dict()))


def test_a_vector_holds_everything_that_was_drawn_at_random():
    one, other = (module_policy(own.WithBuffers, seed=seed) for seed in (0, 1))
    x = torch.randn(5, 2)
    expected = one(x).mean
    assert not torch.equal(other(x).mean, expected)
    under, *_ = other.outputs(x, other.unflatten(one.get_vector()))
    assert torch.equal(under, expected)
    stacked, *_ = other.outputs(x.expand(2, 5, 2), other.unflatten(one.get_vector().expand(2, -1)))
    torch.testing.assert_close(stacked[1], expected)
    other.set_vector(one.get_vector())
    assert torch.equal(other(x).mean, expected)
    assert {name: x.dtype for name, x in other.state_dict().items()} == {
        name: x.dtype for name, x in one.state_dict().items()
    }


def test_what_never_changes_has_no_gradient_and_no_tangent():
    policy = module_policy(own.WithBuffers)
    theta = random_theta(policy)
    batches = rounds(policy, theta)
    at = chunk(policy, theta, batches)
    _, gradients, *_ = at.at_old()
    products = at.fisher_product(random(theta.numel(), seed=7))
    fixed = set(policy.layout.shapes) - set(policy.moving)
    assert fixed > {"features", "mask", "order", "shift", "norm.running_mean", "norm.num_batches_tracked"}
    for found in (gradients, products):
        parts = policy.layout.view(found)
        assert not any(parts[name].any() for name in fixed)
        assert all(parts[name].any() for name in policy.moving)
    vector = random(theta.numel(), seed=7)
    without = policy.layout.join({n: x * (n in policy.moving) for n, x in policy.layout.view(vector).items()})
    assert torch.equal(at.fisher_product(without), products)


def test_copies_are_independent_and_travel():
    policy = module_policy(own.WithBuffers)
    x = torch.randn(4, 2)
    expected = policy(x).mean
    others = [copy.deepcopy(policy), cloudpickle.loads(cloudpickle.dumps(policy))]
    policy.set_vector(policy.get_vector() + 1)
    for other in others:
        assert torch.equal(other(x).mean, expected)


def test_copies_follow_their_module_to_another_dtype_or_device():
    policy = module_policy(own.WithBuffers)
    x = torch.randn(4, 2)
    expected = policy(x).mean
    torch.testing.assert_close(policy.double()(x.double()).mean.float(), expected)


def test_what_a_rollout_copied_can_be_differentiated():
    policy = copy.deepcopy(module_policy(own.WithBuffers))  # It has no copies of its module yet.
    params = policy.get_vector().expand(2, -1)
    with torch.inference_mode():
        policy.at(policy.unflatten(params))(torch.ones(2, 3, 2))
    at = policy.linearise(torch.ones(2, 3, 2), params)
    assert at.vjp(at.pi).any()


def test_threads_do_not_share_a_module():
    policy = module_policy(own.PlainNormal)
    problems = []
    for seed in range(4):
        theta = random_theta(policy, seed)
        problems.append((theta, rounds(policy, theta, 2)))

    def answers(problem: Any) -> list[Tensor]:
        theta, batches = problem
        at = chunk(policy, theta, batches)
        return [*at.at_old(), *(at.fisher_product(random(theta.numel(), seed=i)) for i in range(8))]

    expected = [answers(problem) for problem in problems]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(answers, problems))
    for a, b in zip(expected, found, strict=True):
        assert all(same_bits(x, y) for x, y in zip(a, b, strict=True))
