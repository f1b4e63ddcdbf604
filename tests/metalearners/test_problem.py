from functools import partial
from typing import Any

import pytest
import torch

from maml_rl.adaptation import GradientStep
from maml_rl.losses import reinforce, surrogate
from maml_rl.metalearners.problem import MetaProblem, TaskChunk
from maml_rl.metalearners.tasks import HeldTasks
from tests.builders import (
    Problem,
    both_families,
    first_or_second_order,
    make_policy,
    make_problem,
    random_tasks,
    random_vectors,
    same_bits,
    stacked,
)
from tests.oracles.maml import mean_over_steps, reinforce_loss

one_or_two_inner_steps = pytest.mark.parametrize("inner_steps", [1, 2])


def make_chunk(problem: Problem, keep: bool = True) -> TaskChunk:
    return TaskChunk(problem.adaptation, problem.theta, problem.batches, surrogate, keep)


@both_families
@one_or_two_inner_steps
def test_surrogate_gradient_is_the_slope_of_the_surrogate(family: str, inner_steps: int):
    problem = make_problem(family, inner_steps, lengths=((2, 1), (1, 3)))
    _, gradients, *_ = make_chunk(problem).at_old()
    expected = [problem.reference.finite_differences(task) for task in problem.tasks]
    torch.testing.assert_close(gradients, torch.stack(expected), rtol=1e-6, atol=1e-7)


@both_families
@first_or_second_order
@one_or_two_inner_steps
def test_surrogate_and_gradient_equal_double_backward(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    losses, gradients, *_ = make_chunk(problem).at_old()
    expected = [problem.reference.loss(problem.theta, task).detach() for task in problem.tasks]
    torch.testing.assert_close(losses, torch.stack(expected), rtol=1e-10, atol=1e-12)
    expected = [problem.reference.gradient(task) for task in problem.tasks]
    torch.testing.assert_close(gradients, torch.stack(expected), rtol=1e-9, atol=1e-10)


@both_families
@first_or_second_order
@one_or_two_inner_steps
def test_statistics(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    *_, entropies, norms = make_chunk(problem).at_old()
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
    assert make_chunk(problem).at_old()[-1].tolist() == [0.0] * len(problem.tasks)


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
    losses, kls = make_chunk(problem).evaluate(theta)
    expected = [problem.reference.loss(theta, task).detach() for task in problem.tasks]
    torch.testing.assert_close(losses, torch.stack(expected), rtol=1e-9, atol=1e-12)
    expected = [problem.reference.kl(theta, task).detach() for task in problem.tasks]
    torch.testing.assert_close(kls, torch.stack(expected), rtol=1e-9, atol=1e-12)
    assert kls.min() > 1e-4


@both_families
def test_at_theta_the_kl_is_zero_and_the_loss_is_minus_the_mean_advantage(family: str):
    problem = make_problem(family, inner_steps=1)
    losses, kls = make_chunk(problem).evaluate(problem.theta)
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
    asked_often.evaluate(problem.theta + vector)
    asked_often.fisher_product(vector)
    asked_often.at(problem.theta - vector)
    asked_often.at_old()
    assert torch.equal(asked_often.fisher_product(vector), asked_once.fisher_product(vector))
    assert torch.equal(asked_often.at_old()[1], asked_once.at_old()[1])
    elsewhere = problem.theta + 0.1 * vector
    fresh = make_chunk(problem)
    for answer, expected in zip(asked_often.at(elsewhere), fresh.at(elsewhere), strict=True):
        assert torch.equal(answer, expected)


@both_families
@first_or_second_order
@one_or_two_inner_steps
def test_loss_and_gradient_elsewhere_equal_double_backward(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    theta = problem.theta + 0.1 * random_vectors(problem)[0]
    losses, gradients = make_chunk(problem).at(theta)
    for n, task in enumerate(problem.tasks):
        leaf = theta.clone().requires_grad_()
        loss = problem.reference.loss(leaf, task)
        torch.testing.assert_close(losses[n], loss.detach(), rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(gradients[n], torch.autograd.grad(loss, leaf)[0], rtol=1e-9, atol=1e-10)


@both_families
@first_or_second_order
def test_at_theta_the_objective_and_its_gradient_are_those_at_the_old_one(family: str, first_order: bool):
    problem = make_problem(family, 2, first_order)
    chunk = make_chunk(problem)
    for answer, expected in zip(chunk.at(problem.theta), chunk.at_old()[:2], strict=True):
        torch.testing.assert_close(answer, expected, rtol=1e-12, atol=1e-14)


@both_families
@one_or_two_inner_steps
def test_keeping_what_was_linearised_gives_the_same_bits(family: str, inner_steps: int):
    problem = make_problem(family, inner_steps)
    vector = random_vectors(problem)[0]
    theta = problem.theta + 0.1 * vector
    answers = []
    for keep in (True, False):
        chunk = make_chunk(problem, keep)
        first = (*chunk.at_old(), chunk.fisher_product(vector), *chunk.at(theta), *chunk.evaluate(theta))
        answers.append((*first, *chunk.at_old(), chunk.fisher_product(2 * vector)))
    assert all(same_bits(x, y) for x, y in zip(*answers, strict=True))


@both_families
def test_tasks_do_not_depend_on_their_neighbours(family: str):
    problem = make_problem(family, inner_steps=1)
    vector = random_vectors(problem)[0]
    together = make_chunk(problem)
    for n, task in enumerate(problem.tasks):
        batches = [stacked([task.train[0]]), stacked([task.valid])]
        alone = TaskChunk(problem.adaptation, problem.theta, batches, surrogate, keep=True)
        for answers, own in [
            (together.at_old(), alone.at_old()),
            (together.at(vector), alone.at(vector)),
            (together.evaluate(vector), alone.evaluate(vector)),
            ([together.fisher_product(vector)], [alone.fisher_product(vector)]),
        ]:
            for answer, expected in zip(answers, own, strict=True):
                torch.testing.assert_close(answer[n : n + 1], expected, rtol=1e-9, atol=1e-10)


def test_a_clamped_log_std_does_not_move():
    """Below its bound sigma has no influence: no gradient, and nothing for the Fisher matrix."""
    policy: Any = make_policy("normal")
    theta = policy.get_vector().double()
    theta[:2] = -20.0
    tasks = random_tasks(policy, inner_steps=1)
    batches = [stacked([task.train[0] for task in tasks]), stacked([task.valid for task in tasks])]
    policy.min_log_std = -0.5
    chunk = TaskChunk(GradientStep(policy, reinforce, 0.1), theta, batches, surrogate, keep=True)
    _, gradients, *_ = chunk.at_old()
    products = chunk.fisher_product(torch.ones_like(theta))
    assert not gradients[:, :2].any()
    assert not products[:, :2].any()
    assert gradients[:, 2:].any()
    assert products[:, 2:].any()


def test_no_inner_steps_is_plain_trpo():
    problem = make_problem("normal", inner_steps=0)
    losses, gradients, *_ = make_chunk(problem).at_old()
    assert losses.shape == (len(problem.tasks),)
    expected = [problem.reference.gradient(task) for task in problem.tasks]
    torch.testing.assert_close(gradients, torch.stack(expected), rtol=1e-9, atol=1e-10)


def make_meta_problem(problem: Problem) -> MetaProblem:
    """A chunk for each task."""
    of_task = zip(*(batch.split(1) for batch in problem.batches), strict=True)
    make = partial(TaskChunk, problem.adaptation, problem.theta, objective=surrogate, keep=True)
    return MetaProblem(HeldTasks(make(batches) for batches in of_task))


@both_families
def test_a_meta_problem_is_the_mean_of_its_tasks_in_order(family: str):
    problem = make_problem(family, inner_steps=1)
    whole, chunk, vector = make_meta_problem(problem), make_chunk(problem), random_vectors(problem)[0]
    theta = problem.theta + 0.1 * vector
    losses, gradients, entropies, norms = chunk.at_old()
    moved_losses, moved_gradients = chunk.at(theta)
    evaluated_losses, kls = chunk.evaluate(theta)
    for found, expected in [
        (whole.at_old().losses, losses),
        (whole.at_old().gradient, gradients.mean(0)),
        (whole.entropies, entropies),
        (whole.inner_grad_norms, norms),
        (whole.fisher_product(vector), chunk.fisher_product(vector).mean(0)),
        (whole.at(theta).losses, moved_losses),
        (whole.at(theta).gradient, moved_gradients.mean(0)),
        (whole.evaluate(theta).losses, evaluated_losses),
        (whole.evaluate(theta).kls, kls),
    ]:
        torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-10)
    assert whole.evaluate(theta).inner_kls == ()


def test_means_over_tasks_are_float64_whatever_the_episodes_are():
    problem = make_problem("normal", inner_steps=1)
    batches = [
        batch._replace(
            observations=batch.observations.float(),
            actions=batch.actions.float(),
            advantages=batch.advantages.float(),
            weights=batch.weights.float(),
        )
        for batch in problem.batches
    ]
    chunk = TaskChunk(problem.adaptation, problem.theta, batches, surrogate, keep=True)
    whole = MetaProblem(HeldTasks([chunk]))
    assert chunk.at_old()[1].dtype == whole.at_old().losses.dtype == torch.float32
    for found in (whole.at_old().gradient, whole.at(problem.theta).gradient):
        assert found.dtype == torch.float64
    assert whole.fisher_product(problem.theta).dtype == torch.float64


def test_a_gradient_elsewhere_that_is_not_finite_names_the_tasks():
    problem = make_problem("normal", inner_steps=1)
    whole = make_meta_problem(problem)
    with pytest.raises(FloatingPointError, match=r"surrogate losses are NaN or infinite in tasks \[0, 1\]"):
        whole.at(torch.full_like(problem.theta, torch.nan))
