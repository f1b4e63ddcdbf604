import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from maml_rl.optim.conjugate_gradient import conjugate_gradient
from tests.builders import repeatable

seeds = st.integers(0, 2**32 - 1)


def positive_definite(size: int, seed: int, condition: float = 100.0) -> Tensor:
    rng = np.random.default_rng(seed)
    basis, _ = np.linalg.qr(rng.standard_normal((size, size)))
    eigenvalues = np.geomspace(1, condition, size) / condition**0.5
    return torch.from_numpy(basis @ np.diag(eigenvalues) @ basis.T)


def right_side(size: int, seed: int) -> Tensor:
    return torch.from_numpy(np.random.default_rng(seed + 1).standard_normal(size))


class CountedProduct:
    def __init__(self, matrix: Tensor):
        self.matrix, self.calls = matrix, 0

    def __call__(self, vector: Tensor) -> Tensor:
        self.calls += 1
        return self.matrix @ vector.to(self.matrix.dtype)


@repeatable
@given(st.integers(1, 12), seeds, st.floats(1, 1e4))
def test_solves_positive_definite_systems(size: int, seed: int, condition: float):
    matrix, b = positive_definite(size, seed, condition), right_side(size, seed)
    solution = conjugate_gradient(lambda v: matrix @ v, b, 8 * size, residual_tolerance=1e-24)
    torch.testing.assert_close(solution.x, torch.linalg.solve(matrix, b), rtol=1e-6, atol=1e-8)


@repeatable
@given(st.integers(2, 12), seeds, st.integers(0, 4))
def test_residual_is_what_is_left(size: int, seed: int, iterations: int):
    matrix, b = positive_definite(size, seed), right_side(size, seed)
    x, residual = conjugate_gradient(lambda v: matrix @ v, b, iterations)
    torch.testing.assert_close(residual, b - matrix @ x, rtol=1e-8, atol=1e-8)


@repeatable
@given(st.integers(3, 12), seeds)
def test_error_falls_in_the_norm_of_the_matrix(size: int, seed: int):
    matrix, b = positive_definite(size, seed), right_side(size, seed)
    exact = torch.linalg.solve(matrix, b)
    errors = [exact @ b]
    for iterations in range(1, size):
        error = exact - conjugate_gradient(lambda v: matrix @ v, b, iterations, 0.0).x
        errors.append(error @ matrix @ error)
    assert all(after < before for before, after in itertools.pairwise(errors))


def test_iterations_bound_the_products():
    product = CountedProduct(positive_definite(10, 0, condition=1e6))
    _, residual = conjugate_gradient(product, right_side(10, 0), iterations=3)
    assert product.calls == 3
    assert residual.norm() > 1e-3


def test_stops_early_once_solved():
    product = CountedProduct(3 * torch.eye(5, dtype=torch.float64))
    solution = conjugate_gradient(product, right_side(5, 0), iterations=10)
    assert product.calls == 1
    torch.testing.assert_close(solution.x, right_side(5, 0) / 3)


def test_two_eigenvalues_take_two_products():
    product = CountedProduct(torch.diag(torch.tensor([1.0, 1.0, 4.0, 4.0], dtype=torch.float64)))
    conjugate_gradient(product, torch.ones(4, dtype=torch.float64), iterations=10)
    assert product.calls == 2


@pytest.mark.parametrize("norm", [0.0, 1e-6])
def test_a_right_side_within_tolerance_takes_no_product(norm: float):
    product = CountedProduct(torch.eye(4, dtype=torch.float64))
    b = torch.tensor([norm, 0.0, 0.0, 0.0], dtype=torch.float64)
    x, residual = conjugate_gradient(product, b)
    assert product.calls == 0
    assert not x.any()
    assert torch.equal(residual, b)


def test_float32_products_are_accumulated_in_float64():
    matrix, b = positive_definite(6, 0), right_side(6, 0)
    product = CountedProduct(matrix.float())
    solution = conjugate_gradient(product, b.float(), iterations=20)
    assert solution.x.dtype == solution.residual.dtype == torch.float64
    torch.testing.assert_close(solution.x, torch.linalg.solve(matrix, b), rtol=1e-3, atol=1e-4)


def test_right_side_is_not_changed():
    b = right_side(4, 0)
    before = b.clone()
    conjugate_gradient(lambda v: 2 * v, b)
    assert torch.equal(b, before)
