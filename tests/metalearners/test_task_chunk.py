import pytest
import torch

from maml_rl.metalearners.task_chunk import TaskChunk
from tests.builders import (
    Problem,
    both_families,
    first_or_second_order,
    make_policy,
    make_problem,
    random_tasks,
    random_vectors,
    stacked,
)
from tests.oracles.maml import mean_over_steps, reinforce_loss

one_or_two_inner_steps = pytest.mark.parametrize("inner_steps", [1, 2])


def make_chunk(problem: Problem) -> TaskChunk:
    return TaskChunk(
        problem.policy,
        problem.theta,
        problem.train,
        problem.valid,
        problem.fast_lr,
        problem.reference.first_order,
    )


@both_families
@one_or_two_inner_steps
def test_surrogate_gradient_is_the_slope_of_the_surrogate(family: str, inner_steps: int):
    problem = make_problem(family, inner_steps, lengths=((2, 1), (1, 3)))
    _, gradients = make_chunk(problem).surrogate_gradient()
    expected = [problem.reference.finite_differences(task) for task in problem.tasks]
    torch.testing.assert_close(gradients, torch.stack(expected), rtol=1e-6, atol=1e-7)


@both_families
@first_or_second_order
@one_or_two_inner_steps
def test_surrogate_and_gradient_equal_double_backward(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    losses, gradients = make_chunk(problem).surrogate_gradient()
    expected = [problem.reference.loss(problem.theta, task).detach() for task in problem.tasks]
    torch.testing.assert_close(losses, torch.stack(expected), rtol=1e-10, atol=1e-12)
    expected = [problem.reference.gradient(task) for task in problem.tasks]
    torch.testing.assert_close(gradients, torch.stack(expected), rtol=1e-9, atol=1e-10)


@both_families
@first_or_second_order
@one_or_two_inner_steps
def test_statistics(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    entropies, norms = make_chunk(problem).statistics()
    network, theta = problem.reference.network, problem.theta
    for task, entropy, norm in zip(problem.tasks, entropies, norms, strict=True):
        old = problem.reference.old(task)
        expected = mean_over_steps(task.valid, lambda x, *_, old=old: network.distribution(old, x).entropy())
        torch.testing.assert_close(entropy, expected)
        phi, steps = theta, []
        for episodes in task.train:
            phi = phi.detach().requires_grad_()
            (gradient,) = torch.autograd.grad(reinforce_loss(network, phi, episodes), phi)
            steps.append(gradient.norm())
            phi = phi - problem.fast_lr * gradient
        torch.testing.assert_close(norm, torch.stack(steps).mean())


def test_statistics_without_inner_steps():
    problem = make_problem("normal", 0)
    assert make_chunk(problem).statistics()[1].tolist() == [0.0] * len(problem.tasks)


@both_families
@first_or_second_order
@one_or_two_inner_steps
def test_fisher_product_is_the_hessian_of_the_kl(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order, lengths=((2, 1), (1, 3)))
    vector = random_vectors(problem)[0]
    products = make_chunk(problem).fisher_product(vector)
    expected = [problem.reference.kl_hessian(task) @ vector for task in problem.tasks]
    torch.testing.assert_close(products, torch.stack(expected), rtol=1e-8, atol=1e-9)


@both_families
@one_or_two_inner_steps
def test_loss_and_kl_elsewhere(family: str, inner_steps: int):
    problem = make_problem(family, inner_steps)
    theta = problem.theta + 0.1 * random_vectors(problem)[0]
    losses, kls = make_chunk(problem).loss_and_kl(theta)
    expected = [problem.reference.loss(theta, task).detach() for task in problem.tasks]
    torch.testing.assert_close(losses, torch.stack(expected), rtol=1e-9, atol=1e-12)
    expected = [problem.reference.kl(theta, task).detach() for task in problem.tasks]
    torch.testing.assert_close(kls, torch.stack(expected), rtol=1e-9, atol=1e-12)
    assert kls.min() > 1e-4


@both_families
def test_at_theta_the_kl_is_zero_and_the_loss_is_minus_the_mean_advantage(family: str):
    problem = make_problem(family, inner_steps=1)
    losses, kls = make_chunk(problem).loss_and_kl(problem.theta)
    mean_advantages = [
        torch.stack([episode.advantages.mean() for episode in task.valid]).mean() for task in problem.tasks
    ]
    torch.testing.assert_close(losses, -torch.stack(mean_advantages), rtol=1e-10, atol=1e-12)
    assert kls.abs().max() < 1e-12


@both_families
def test_questions_can_be_asked_in_any_order(family: str):
    problem = make_problem(family, inner_steps=1)
    asked_once, asked_often = make_chunk(problem), make_chunk(problem)
    vector = random_vectors(problem)[0]
    asked_often.loss_and_kl(problem.theta + vector)
    asked_often.fisher_product(vector)
    asked_often.surrogate_gradient()
    assert torch.equal(asked_often.fisher_product(vector), asked_once.fisher_product(vector))
    assert torch.equal(asked_often.surrogate_gradient()[1], asked_once.surrogate_gradient()[1])


@both_families
def test_tasks_do_not_depend_on_their_neighbours(family: str):
    problem = make_problem(family, inner_steps=1)
    vector = random_vectors(problem)[0]
    together = make_chunk(problem)
    for n, task in enumerate(problem.tasks):
        train, valid = [stacked([task.train[0]])], stacked([task.valid])
        alone = TaskChunk(problem.policy, problem.theta, train, valid, problem.fast_lr, False)
        for answers, own in [
            (together.surrogate_gradient(), alone.surrogate_gradient()),
            (together.loss_and_kl(vector), alone.loss_and_kl(vector)),
            ([together.fisher_product(vector)], [alone.fisher_product(vector)]),
        ]:
            for answer, expected in zip(answers, own, strict=True):
                torch.testing.assert_close(answer[n : n + 1], expected, rtol=1e-9, atol=1e-10)


def test_a_clamped_log_std_does_not_move():
    """Below its bound sigma has no influence: no gradient, and nothing for the Fisher matrix."""
    policy = make_policy("normal")
    theta = policy.get_vector().double()
    theta[:2] = -20.0
    tasks = random_tasks(policy, inner_steps=1)
    train, valid = [stacked([task.train[0] for task in tasks])], stacked([task.valid for task in tasks])
    policy.min_log_std = -0.5
    chunk = TaskChunk(policy, theta, train, valid, 0.1, False)
    _, gradients = chunk.surrogate_gradient()
    products = chunk.fisher_product(torch.ones_like(theta))
    assert not gradients[:, :2].any()
    assert not products[:, :2].any()
    assert gradients[:, 2:].any()
    assert products[:, 2:].any()


def test_no_inner_steps_is_plain_trpo():
    problem = make_problem("normal", inner_steps=0)
    losses, gradients = make_chunk(problem).surrogate_gradient()
    assert losses.shape == (len(problem.tasks),)
    expected = [problem.reference.gradient(task) for task in problem.tasks]
    torch.testing.assert_close(gradients, torch.stack(expected), rtol=1e-9, atol=1e-10)
