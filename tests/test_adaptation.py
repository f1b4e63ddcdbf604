import pytest
import torch
from torch import Tensor

import maml_rl.adaptation
from maml_rl.adaptation import adapt
from tests.builders import Problem, both_families, first_or_second_order, make_problem
from tests.oracles import maml as oracle
from tests.oracles.maml import Task


def loop_of_update_params(problem: Problem, task: Task, first_order: bool) -> Tensor:
    policy = problem.policy.double()
    params = None
    for episodes in task.train:
        log_probs = [policy(e.observations, params).log_prob(e.actions) for e in episodes]
        means = [(lp * e.advantages).mean() for lp, e in zip(log_probs, episodes, strict=True)]
        loss = -torch.stack(means).mean()
        params = policy.update_params(loss, params, problem.fast_lr, first_order)
    return torch.cat([param.flatten() for param in params.values()]).detach()


@both_families
@first_or_second_order
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_adapt_equals_a_loop_of_update_params(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps)
    adapted = adapt(problem.policy, problem.train, problem.repeated(problem.theta), problem.fast_lr)
    expected = [loop_of_update_params(problem, task, first_order) for task in problem.tasks]
    torch.testing.assert_close(adapted, torch.stack(expected), rtol=1e-10, atol=1e-12)


@both_families
def test_adapt_equals_the_oracle(family: str):
    problem = make_problem(family, inner_steps=2)
    adapted = adapt(problem.policy, problem.train, problem.repeated(problem.theta), problem.fast_lr)
    expected = [problem.reference.old(task) for task in problem.tasks]
    torch.testing.assert_close(adapted, torch.stack(expected), rtol=1e-10, atol=1e-12)


def test_adapt_is_the_same_task_by_task(monkeypatch):
    problem = make_problem("normal", inner_steps=2)
    expected = adapt(problem.policy, problem.train, problem.repeated(problem.theta), problem.fast_lr)
    monkeypatch.setattr(maml_rl.adaptation, "CPU_CHUNK_STEPS", 1)
    adapted = adapt(problem.policy, problem.train, problem.repeated(problem.theta), problem.fast_lr)
    torch.testing.assert_close(adapted, expected, rtol=1e-12, atol=1e-14)


def test_adapt_keeps_no_graph_and_leaves_theta_alone():
    problem = make_problem("normal", inner_steps=2)
    before = problem.theta.clone()
    with torch.no_grad():
        adapted = adapt(problem.policy, problem.train, problem.repeated(problem.theta), problem.fast_lr)
    assert not adapted.requires_grad
    assert not problem.theta.requires_grad
    assert torch.equal(problem.theta, before)
    assert not torch.equal(adapted, problem.repeated(before))


def test_no_inner_steps_change_nothing():
    problem = make_problem("normal", inner_steps=0)
    adapted = adapt(problem.policy, [], problem.repeated(problem.theta), problem.fast_lr)
    assert torch.equal(adapted, problem.repeated(problem.theta))


@both_families
def test_inner_gradient_is_each_tasks_own(family: str):
    problem = make_problem(family, inner_steps=1)
    params = problem.repeated(problem.theta)
    gradients = params - adapt(problem.policy, problem.train, params, fast_lr=1.0)
    for n, task in enumerate(problem.tasks):
        theta = problem.theta.clone().requires_grad_()
        loss = oracle.reinforce_loss(problem.reference.network, theta, task.train[0])
        (expected,) = torch.autograd.grad(loss, theta)
        torch.testing.assert_close(gradients[n], expected, rtol=1e-10, atol=1e-12)
