import pytest
import torch
from torch import Tensor

from maml_rl.adaptation import GradientStep, gradient_step
from maml_rl.losses import Loss, likelihood_ratio, reinforce
from tests.builders import (
    Problem,
    both_families,
    first_or_second_order,
    make_problem,
    random_vectors,
    same_bits,
)
from tests.oracles import maml as oracle
from tests.oracles.maml import Task
from tests.oracles.promp import ProMP

inner_losses = pytest.mark.parametrize("loss", [reinforce, likelihood_ratio], ids=["reinforce", "ratio"])


def adapt(problem: Problem) -> Tensor:
    """All steps, one after the other."""
    adaptation = problem.adaptation
    params = adaptation.start(problem.theta, len(problem.tasks))
    for batch in problem.train:
        params = adaptation.step(params, batch)
    return params


def loop_of_update_params(problem: Problem, task: Task, first_order: bool) -> Tensor:
    policy = problem.policy.double()
    params = None
    for episodes in task.train:
        log_probs = [policy(e.observations, params).log_prob(e.actions) for e in episodes]
        means = [(lp * e.advantages).mean() for lp, e in zip(log_probs, episodes, strict=True)]
        loss = -torch.stack(means).mean()
        params = policy.update_params(loss, params, problem.fast_lr, first_order)
    assert params is not None
    return torch.cat([param.flatten() for param in params.values()]).detach()


@both_families
@first_or_second_order
@pytest.mark.parametrize("inner_steps", [1, 3])
def test_steps_equal_a_loop_of_update_params(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    expected = [loop_of_update_params(problem, task, first_order) for task in problem.tasks]
    torch.testing.assert_close(adapt(problem), torch.stack(expected), rtol=1e-10, atol=1e-12)


@both_families
def test_steps_equal_the_oracle(family: str):
    problem = make_problem(family, inner_steps=2)
    expected = [problem.reference.old(task) for task in problem.tasks]
    torch.testing.assert_close(adapt(problem), torch.stack(expected), rtol=1e-10, atol=1e-12)


def test_a_step_is_the_same_task_by_task(monkeypatch: pytest.MonkeyPatch):
    problem = make_problem("normal", inner_steps=2)
    expected = adapt(problem)
    monkeypatch.setattr(gradient_step, "CPU_CHUNK_STEPS", 1)
    torch.testing.assert_close(adapt(problem), expected, rtol=1e-12, atol=1e-14)


def test_a_step_keeps_no_graph_and_leaves_theta_alone():
    problem = make_problem("normal", inner_steps=2)
    before = problem.theta.clone()
    with torch.no_grad():
        adapted = adapt(problem)
    assert not adapted.requires_grad
    assert not problem.theta.requires_grad
    assert torch.equal(problem.theta, before)
    assert not torch.equal(adapted, problem.repeated(before))


def test_no_inner_steps_change_nothing():
    problem = make_problem("normal", inner_steps=0)
    assert torch.equal(adapt(problem), problem.repeated(problem.theta))


@both_families
def test_inner_gradient_is_each_tasks_own(family: str):
    problem = make_problem(family, inner_steps=1)
    params = problem.repeated(problem.theta)
    gradients = params - GradientStep(problem.policy, reinforce, 1.0).step(params, problem.train[0])
    for n, task in enumerate(problem.tasks):
        theta = problem.theta.clone().requires_grad_()
        loss = oracle.reinforce_loss(problem.reference.network, theta, task.train[0])
        (expected,) = torch.autograd.grad(loss, theta)
        torch.testing.assert_close(gradients[n], expected, rtol=1e-10, atol=1e-12)


def test_theta_is_the_templates_at_first_and_does_not_follow_it():
    problem = make_problem("normal", inner_steps=1)
    theta = problem.adaptation.initial_theta()
    assert same_bits(theta, problem.policy.get_vector())
    adapted = adapt(problem)
    problem.policy.set_vector(torch.zeros_like(theta))
    assert theta.any()
    assert torch.equal(adapt(problem), adapted)
    assert problem.adaptation.layout.size == len(theta)


@both_families
def test_scale_is_a_factor_of_the_step(family: str):
    problem = make_problem(family, inner_steps=1)
    params, (batch,) = problem.repeated(problem.theta), problem.train
    whole, part = (problem.adaptation.step(params, batch, scale) for scale in (1.0, 0.25))
    torch.testing.assert_close(part - params, 0.25 * (whole - params), rtol=1e-10, atol=1e-14)
    assert problem.adaptation.step_size(0.25) == 0.25 * problem.fast_lr


@both_families
@inner_losses
@first_or_second_order
def test_the_linearised_step_is_the_same_step(family: str, loss: Loss, first_order: bool):
    problem = make_problem(family, inner_steps=1)
    adaptation = GradientStep(problem.policy, loss, problem.fast_lr, first_order)
    params, (batch,) = problem.repeated(problem.theta), problem.train
    step = adaptation.linearise(params, batch)
    assert same_bits(step.params, adaptation.step(params, batch))
    norms = ((step.params - params) / problem.fast_lr).norm(dim=-1)
    torch.testing.assert_close(step.gradient_norms, norms)
    pi = problem.policy.outputs(batch.observations, problem.policy.unflatten(params))
    for x, y in zip(step.pi, pi, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-12, atol=1e-12)


@both_families
@first_or_second_order
@pytest.mark.parametrize("moved", [False, True])
def test_steps_on_the_ratio_equal_the_oracle_where_the_old_policy_is_given(
    family: str, first_order: bool, moved: bool
):
    """And where it is not, it is the one at hand."""
    problem = make_problem(family, inner_steps=1)
    reference = ProMP(
        problem.reference.network, problem.theta, problem.fast_lr, 0.2, [0.0], first_order=first_order
    )
    adaptation = GradientStep(problem.policy, likelihood_ratio, problem.fast_lr, first_order)
    theta, (batch,) = problem.theta, problem.train
    if moved:
        theta = theta + 0.1 * random_vectors(problem)[0]
        old_params = problem.policy.unflatten(problem.repeated(problem.theta))
        batch = batch._replace(old=problem.policy.outputs(batch.observations, old_params))
    params = problem.repeated(theta)
    expected = [reference.adapted(theta, task).detach() for task in problem.tasks]
    for found in (adaptation.step(params, batch), adaptation.linearise(params, batch).params):
        torch.testing.assert_close(found, torch.stack(expected), rtol=1e-10, atol=1e-12)


@both_families
@inner_losses
@first_or_second_order
def test_products_are_those_of_the_dense_jacobian(family: str, loss: Loss, first_order: bool):
    """Against autograd's Jacobian of the oracle's step, at parameters other than the old ones."""
    problem = make_problem(family, inner_steps=1)
    old, phi = problem.theta, problem.theta + 0.1 * random_vectors(problem)[0]
    vectors, (batch,) = random_vectors(problem, seed=2), problem.train
    pi = problem.policy.outputs(batch.observations, problem.policy.unflatten(problem.repeated(old)))
    adaptation = GradientStep(problem.policy, loss, problem.fast_lr, first_order)
    step = adaptation.linearise(problem.repeated(phi), batch._replace(old=pi))
    pushed, pulled = step.jvp(vectors), step.vjp(vectors)
    network = problem.reference.network
    for n, task in enumerate(problem.tasks):

        def inner_loss(vector: Tensor, task: Task = task) -> Tensor:
            if loss is reinforce:
                return oracle.reinforce_loss(network, vector, task.train[0])
            return oracle.surrogate_loss(network, old, vector, task.train[0])

        jacobian = torch.eye(len(phi), dtype=phi.dtype)
        if not first_order:
            jacobian -= problem.fast_lr * torch.autograd.functional.hessian(inner_loss, phi)
        torch.testing.assert_close(pushed[n], jacobian @ vectors[n], rtol=1e-9, atol=1e-10)
        torch.testing.assert_close(pulled[n], jacobian.T @ vectors[n], rtol=1e-9, atol=1e-10)


@both_families
@inner_losses
@first_or_second_order
def test_a_cotangent_of_the_policy_before_the_step_adds_its_own_pull(
    family: str, loss: Loss, first_order: bool
):
    problem = make_problem(family, inner_steps=1)
    vectors, (batch,) = random_vectors(problem), problem.train
    adaptation = GradientStep(problem.policy, loss, problem.fast_lr, first_order)
    params = problem.repeated(problem.theta)
    step = adaptation.linearise(params, batch)
    generator = torch.Generator().manual_seed(0)
    cotangent = [torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in step.pi]
    pulled = problem.policy.linearise(batch.observations, params).vjp(cotangent)
    assert pulled.any()
    expected = step.vjp(vectors) + pulled
    torch.testing.assert_close(step.vjp(vectors, cotangent), expected, rtol=1e-9, atol=1e-10)
