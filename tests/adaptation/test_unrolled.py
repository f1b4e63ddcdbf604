from collections.abc import Callable, Sequence

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maml_rl.adaptation import Unrolled
from tests.builders import Problem, both_families, first_or_second_order, make_problem, random_vectors
from tests.oracles.maml import reinforce_loss

inner_steps_0_1_2 = pytest.mark.parametrize("inner_steps", [0, 1, 2])


def unroll(problem: Problem) -> Unrolled:
    return Unrolled(problem.adaptation, problem.theta, problem.batches)


def inner_product(unrolled: Unrolled, vectors: Tensor) -> Tensor:
    """``d phi / d theta`` times ``vectors``: the first step acts first."""
    for step in unrolled.steps:
        vectors = step.jvp(vectors)
    return vectors


def inner_transposed_product(unrolled: Unrolled, vectors: Tensor) -> Tensor:
    for step in reversed(unrolled.steps):
        vectors = step.vjp(vectors)
    return vectors


def fisher_product(unrolled: Unrolled, vectors: Tensor) -> Tensor:
    """``Jᵀ F J v``, put together from the two products."""
    pi, batch = unrolled.rounds[-1]
    return unrolled.vjp([pi.fisher(unrolled.jvp(vectors), batch.weights)])


def random_cotangents(unrolled: Unrolled) -> list[list[Tensor]]:
    """Of every round."""
    generator = torch.Generator().manual_seed(0)
    return [
        [torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in pi] for pi, _ in unrolled.rounds
    ]


def dense_products(matrices: list[Tensor], vectors: Tensor) -> Tensor:
    return torch.stack([matrix @ v for matrix, v in zip(matrices, vectors, strict=True)])


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_inner_jacobian_and_its_transpose(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    unrolled, vectors = unroll(problem), random_vectors(problem)
    dense = [problem.reference.jacobian(task) for task in problem.tasks]
    expected = dense_products(dense, vectors)
    torch.testing.assert_close(inner_product(unrolled, vectors), expected, rtol=1e-9, atol=1e-10)
    expected = dense_products([jacobian.T for jacobian in dense], vectors)
    torch.testing.assert_close(inner_transposed_product(unrolled, vectors), expected, rtol=1e-9, atol=1e-10)
    adapted = torch.stack([problem.reference.old(task) for task in problem.tasks])
    torch.testing.assert_close(unrolled.path[-1], adapted, rtol=1e-10, atol=1e-12)


@both_families
def test_factors_of_two_inner_steps_do_not_commute(family: str):
    """Else the test above could not tell their order."""
    problem = make_problem(family, inner_steps=2)
    jacobian = problem.reference.jacobian(problem.tasks[0])
    assert (jacobian - jacobian.T).abs().max() > 1e-3


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_product_equals_dense_fisher_matrix(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order, lengths=((2, 1), (1, 3)))
    vectors = random_vectors(problem)
    expected = dense_products([problem.reference.fisher(task) for task in problem.tasks], vectors)
    torch.testing.assert_close(fisher_product(unroll(problem), vectors), expected, rtol=1e-9, atol=1e-10)


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_product_equals_double_backward_of_the_kl(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order, lengths=((2, 1), (1, 3)))
    vectors = random_vectors(problem)
    expected = dense_products([problem.reference.kl_hessian(task) for task in problem.tasks], vectors)
    torch.testing.assert_close(fisher_product(unroll(problem), vectors), expected, rtol=1e-8, atol=1e-9)


@both_families
@pytest.mark.parametrize("hidden_sizes", [(), (2, 3)], ids=str)
@pytest.mark.parametrize("nonlinearity", [F.relu, F.elu], ids=["relu", "elu"])
def test_product_for_other_networks(
    family: str, hidden_sizes: tuple[int, ...], nonlinearity: Callable[[Tensor], Tensor]
):
    lengths = ((2, 1), (1, 3))
    problem = make_problem(family, 1, False, lengths, hidden_sizes, nonlinearity)
    vectors = random_vectors(problem)
    expected = dense_products([problem.reference.kl_hessian(task) for task in problem.tasks], vectors)
    torch.testing.assert_close(fisher_product(unroll(problem), vectors), expected, rtol=1e-8, atol=1e-9)


@both_families
def test_products_can_be_repeated(family: str):
    problem = make_problem(family, inner_steps=1)
    unrolled, vectors = unroll(problem), random_vectors(problem)
    first = fisher_product(unrolled, vectors)
    fisher_product(unrolled, 2 * vectors + 1)
    assert torch.equal(fisher_product(unrolled, vectors), first)


@both_families
def test_vjp_without_steps_is_the_policys_transposed_jacobian(family: str):
    problem = make_problem(family, inner_steps=0)
    unrolled = unroll(problem)
    cotangents = random_cotangents(unrolled)[-1]
    products = unrolled.vjp([cotangents])
    for n, observations in enumerate(problem.valid.observations):
        theta = problem.theta.clone().requires_grad_()
        outputs = problem.policy.outputs(observations, problem.policy.unflatten(theta))
        total = torch.stack([(x * u[n]).sum() for x, u in zip(outputs, cotangents, strict=True)]).sum()
        (expected,) = torch.autograd.grad(total, theta)
        torch.testing.assert_close(products[n], expected, rtol=1e-10, atol=1e-12)


def pulled_by_autograd(
    problem: Problem, batches: Sequence[Tensor], cotangents: Sequence[Sequence[Tensor] | None], n: int
) -> Tensor:
    """Gradient by theta of the sum of all rounds' numbers times their cotangents, of one task."""
    task, reference = problem.tasks[n], problem.reference
    phi = theta = problem.theta.clone().requires_grad_()
    total = torch.zeros((), dtype=theta.dtype)
    for step, (observations, parts) in enumerate(zip(batches, cotangents, strict=True)):
        if parts is not None:
            outputs = problem.policy.outputs(observations[n], problem.policy.unflatten(phi))
            total = total + sum((x * u[n]).sum() for x, u in zip(outputs, parts, strict=True))
        if step < len(task.train):
            loss = reinforce_loss(reference.network, phi, task.train[step])
            (gradient,) = torch.autograd.grad(loss, phi, create_graph=True)
            phi = phi - problem.fast_lr * (gradient.detach() if reference.first_order else gradient)
    return torch.autograd.grad(total, theta)[0]


@both_families
@first_or_second_order
@inner_steps_0_1_2
@pytest.mark.parametrize(
    "absent", [None, 0, 1], ids=["all rounds", "without the first", "without the second"]
)
def test_vjp_takes_the_cotangents_of_every_round(
    family: str, first_order: bool, inner_steps: int, absent: int | None
):
    """Against autograd through the oracle's adaptation."""
    problem = make_problem(family, inner_steps, first_order)
    unrolled = unroll(problem)
    cotangents: list[Sequence[Tensor] | None] = list(random_cotangents(unrolled))
    if absent is not None and absent < inner_steps:
        cotangents[absent] = None
    observations = [batch.observations for batch in problem.batches]
    found = unrolled.vjp(cotangents)
    for n in range(len(problem.tasks)):
        expected = pulled_by_autograd(problem, observations, cotangents, n)
        torch.testing.assert_close(found[n], expected, rtol=1e-9, atol=1e-10)


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_a_single_cotangent_is_the_last_rounds(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    unrolled = unroll(problem)
    last = random_cotangents(unrolled)[-1]
    assert torch.equal(unrolled.vjp([last]), unrolled.vjp([*([None] * inner_steps), last]))


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_jvp_and_vjp_are_transposes(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    unrolled, vectors = unroll(problem), random_vectors(problem)
    cotangent = random_cotangents(unrolled)[-1]
    tangent = unrolled.jvp(vectors)
    products = [(x * u).flatten(1).sum(-1) for x, u in zip(tangent, cotangent, strict=True)]
    expected = (unrolled.vjp([cotangent]) * vectors).sum(-1)
    torch.testing.assert_close(torch.stack(products).sum(0), expected, rtol=1e-9, atol=1e-10)


@both_families
def test_rounds_are_the_policies_along_the_way_and_their_episodes(family: str):
    problem = make_problem(family, inner_steps=2)
    unrolled = unroll(problem)
    for k, (pi, batch) in enumerate(unrolled.rounds):
        before = [problem.reference.old(task._replace(train=task.train[:k])) for task in problem.tasks]
        params = problem.policy.unflatten(torch.stack(before))
        expected = problem.policy.outputs(batch.observations, params)
        for x, y in zip(pi, expected, strict=True):
            torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-12)
        assert torch.equal(batch.weights, problem.batches[k].weights)
