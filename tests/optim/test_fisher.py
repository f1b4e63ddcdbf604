from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from maml_rl.optim.fisher import InnerJacobian, PolicyJacobian
from tests.builders import (
    Problem,
    both_families,
    first_or_second_order,
    make_problem,
    random_vectors,
)

inner_steps_0_1_2 = pytest.mark.parametrize("inner_steps", [0, 1, 2])


def inner_jacobian(problem: Problem) -> InnerJacobian:
    return InnerJacobian(
        problem.policy,
        problem.train,
        problem.repeated(problem.theta),
        problem.fast_lr,
        problem.reference.first_order,
    )


def fisher_product(problem: Problem, vectors: Tensor) -> Tensor:
    """``Jᵀ F J v``, put together from the two Jacobians."""
    inner = inner_jacobian(problem)
    outer = PolicyJacobian(problem.policy, problem.valid, inner.adapted)
    return inner.transposed_product(outer.fisher_product(inner.product(vectors)))


def dense_products(matrices: list[Tensor], vectors: Tensor) -> Tensor:
    return torch.stack([matrix @ v for matrix, v in zip(matrices, vectors, strict=True)])


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_inner_jacobian_and_its_transpose(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order)
    inner, vectors = inner_jacobian(problem), random_vectors(problem)
    dense = [problem.reference.jacobian(task) for task in problem.tasks]
    expected = dense_products(dense, vectors)
    torch.testing.assert_close(inner.product(vectors), expected, rtol=1e-9, atol=1e-10)
    expected = dense_products([jacobian.T for jacobian in dense], vectors)
    torch.testing.assert_close(inner.transposed_product(vectors), expected, rtol=1e-9, atol=1e-10)
    adapted = torch.stack([problem.reference.old(task) for task in problem.tasks])
    torch.testing.assert_close(inner.adapted, adapted, rtol=1e-10, atol=1e-12)


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
    torch.testing.assert_close(fisher_product(problem, vectors), expected, rtol=1e-9, atol=1e-10)


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_product_equals_double_backward_of_the_kl(family: str, first_order: bool, inner_steps: int):
    problem = make_problem(family, inner_steps, first_order, lengths=((2, 1), (1, 3)))
    vectors = random_vectors(problem)
    expected = dense_products([problem.reference.kl_hessian(task) for task in problem.tasks], vectors)
    torch.testing.assert_close(fisher_product(problem, vectors), expected, rtol=1e-8, atol=1e-9)


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
    torch.testing.assert_close(fisher_product(problem, vectors), expected, rtol=1e-8, atol=1e-9)


@both_families
def test_products_can_be_repeated(family: str):
    problem = make_problem(family, inner_steps=1)
    inner, vectors = inner_jacobian(problem), random_vectors(problem)
    outer = PolicyJacobian(problem.policy, problem.valid, inner.adapted)
    first = outer.fisher_product(inner.product(vectors))
    outer.fisher_product(inner.product(2 * vectors + 1))
    assert torch.equal(outer.fisher_product(inner.product(vectors)), first)


@both_families
def test_pullback_is_the_policys_transposed_jacobian(family: str):
    problem = make_problem(family, inner_steps=0)
    outer = PolicyJacobian(problem.policy, problem.valid, problem.repeated(problem.theta))
    generator = torch.Generator().manual_seed(0)
    cotangents = [torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in outer.pi]
    products = outer.pullback(cotangents)
    for n, observations in enumerate(problem.valid.observations):
        theta = problem.theta.clone().requires_grad_()
        outputs = problem.policy.outputs(observations, problem.policy.unflatten(theta))
        total = sum((x * u[n]).sum() for x, u in zip(outputs, cotangents, strict=True))
        (expected,) = torch.autograd.grad(total, theta)
        torch.testing.assert_close(products[n], expected, rtol=1e-10, atol=1e-12)
