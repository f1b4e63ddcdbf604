"""Krylov spaces hold the solutions of ridge regressions."""

import numpy as np
import pytest
import torch
from torch import Tensor

from maml_rl.baseline.krylov import KrylovSpaces
from tests.oracles.cross_validation import fit

RIDGES = (10.0, 0.1, 1e-4)


def problem(n: int, d: int, rank: int, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Features of a rank, targets, and the rows of three regressions: some, others and all."""
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((n, rank)) @ rng.standard_normal((rank, d)) + rng.standard_normal(d)
    targets = design[:, 0] ** 2 + rng.standard_normal(n)
    fitted = np.ones((3, n), bool)
    fitted[0, : n // 3] = fitted[1, n // 2 :] = False
    return torch.from_numpy(design), torch.from_numpy(targets), torch.from_numpy(fitted)


@pytest.mark.parametrize(("n", "d", "rank"), [(25, 60, 25), (60, 12, 12), (40, 30, 3)])
def test_full_spaces_hold_the_oracles_solutions(n: int, d: int, rank: int):
    design, targets, fitted = problem(n, d, rank)
    spaces = KrylovSpaces(design, targets, fitted)
    spaces.extend(1000)
    assert spaces.full
    assert spaces.size == min(n, d)
    solutions, errors = spaces.solve(RIDGES), np.zeros(len(RIDGES))
    for r, ridge in enumerate(RIDGES):
        weights = spaces.weights(solutions.coefficients[:, r])
        for s, rows in enumerate(fitted):
            weight, intercept = fit(design[rows].numpy(), targets[rows].numpy(), ridge)
            np.testing.assert_allclose(weights[s], weight, rtol=1e-6, atol=1e-8)
            np.testing.assert_allclose(solutions.intercepts[s, r], intercept, rtol=1e-6, atol=1e-8)
            left = targets[~rows].numpy() - design[~rows].numpy() @ weight - intercept
            errors[r] += np.square(left).sum()
    np.testing.assert_allclose(solutions.errors, errors, rtol=1e-6)
    assert float(solutions.residuals.max()) < 1e-8


@pytest.mark.parametrize("axes", [1, 3, 8])
def test_residuals_are_what_is_left_of_the_equations(axes: int):
    design, targets, fitted = problem(40, 30, 30)
    spaces = KrylovSpaces(design, targets, fitted)
    spaces.extend(axes)
    solutions = spaces.solve(RIDGES)
    for s, rows in enumerate(fitted):
        x, y = design[rows] - design[rows].mean(0), targets[rows] - targets[rows].mean()
        for r, ridge in enumerate(RIDGES):
            weight = spaces.weights(solutions.coefficients[:, r])[s]
            left = x.mT @ (x @ weight - y) + ridge * len(x) * weight
            expected = left.norm() / (x.mT @ y).norm()
            np.testing.assert_allclose(solutions.residuals[s, r], expected, rtol=1e-6)


def test_targets_that_do_not_vary_have_no_weights():
    design, _, fitted = problem(20, 30, 20)
    spaces = KrylovSpaces(design, torch.full((20,), 3.0, dtype=torch.float64), fitted)
    spaces.extend(4)
    solutions = spaces.solve(RIDGES)
    for zeros in (solutions.coefficients, solutions.residuals, solutions.errors):
        assert not zeros.any()
    np.testing.assert_allclose(solutions.intercepts, 3.0)


def test_strong_ridges_need_few_axes():
    rng = np.random.default_rng(0)
    design = torch.from_numpy(rng.standard_normal((200, 500)))
    spaces = KrylovSpaces(design, design[:, 0], torch.ones(1, 200, dtype=torch.bool))
    spaces.extend(8)
    residuals = spaces.solve(RIDGES).residuals[0]
    assert residuals[0] < 1e-4 < residuals[2]
