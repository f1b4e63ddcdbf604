"""Ridge regression with a cross-validated ridge, as least-squares problems with rows added below."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tests.oracles.baseline import design_matrix

Array = NDArray[np.float64]


def standardize(x: Array) -> Array:
    centred = x - x.mean(0)
    deviation = centred.std(0)
    return np.divide(centred, deviation, out=np.zeros_like(x), where=deviation > 1e-6 * np.abs(x.mean(0)))


def values_of_unit_features(episodes: Sequence[Array], returns: Sequence[Array], ridge: float) -> Array:
    """Return the values of a ridge regression on features whose mean square is 1, without an intercept."""
    x = design_matrix(episodes)
    x = x / np.sqrt((x**2).mean(0))
    rows = np.concatenate([x, ridge**0.5 * np.eye(x.shape[1])])
    weight = np.linalg.lstsq(rows, np.concatenate([*returns, np.zeros(x.shape[1])]), rcond=None)[0]
    values: Array = x @ weight
    return values


def fit(x: Array, y: Array, ridge: float) -> tuple[Array, float]:
    """Minimise ``|X w + b - y|^2 + n ridge |w|^2``."""
    n, size = x.shape
    rows = np.block([[x, np.ones((n, 1))], [(n * ridge) ** 0.5 * np.eye(size), np.zeros((size, 1))]])
    solution = np.linalg.lstsq(rows, np.concatenate([y, np.zeros(size)]), rcond=None)[0]
    return solution[:-1], float(solution[-1])


def values(
    episodes: Sequence[Array], returns: Sequence[Array], ridges: Sequence[float], groups: int, hopeless: float
) -> tuple[Array, float]:
    """Return the value of every step, and the ridge under which groups are predicted best by the others.

    Ridges behind the first one whose error is ``hopeless`` times that of one before do not count.
    """
    x, y = standardize(design_matrix(episodes)), np.concatenate(returns)
    owner = np.concatenate([np.full(len(part), k) for k, part in enumerate(returns)])
    group = owner * groups // len(episodes)
    errors = []
    for ridge in ridges:
        error = 0.0
        for g in range(groups):
            weight, intercept = fit(x[group != g], y[group != g], ridge)
            error += float(((x[group == g] @ weight + intercept - y[group == g]) ** 2).sum())
        errors.append(error)
        if error > hopeless * min(errors):
            break
    # Ridges come the strongest first.
    best = next(ridge for ridge, error in zip(ridges, errors, strict=False) if error <= 1.001 * min(errors))
    weight, intercept = fit(x, y, best)
    return x @ weight + intercept, best
