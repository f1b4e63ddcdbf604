"""The linear feature baseline as a least-squares problem, row by row, without normal equations."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def features(observation: Array, t: int) -> Array:
    time = t / 100.0
    return np.concatenate([observation, observation**2, [time, time**2, time**3, 1.0]])


def design_matrix(episodes: Sequence[Array]) -> Array:
    """One row per step; ``episodes`` are the observations of each, ``[length, O]``."""
    return np.array([features(row, t) for episode in episodes for t, row in enumerate(episode)])


def fit(episodes: Sequence[Array], returns: Sequence[Array], ridge: float = 1e-5) -> Array:
    """Minimise ``|X w - y|^2 + ridge |w|^2``: the ridge is a block of rows below X."""
    x = design_matrix(episodes)
    size = x.shape[1]
    augmented = np.concatenate([x, ridge**0.5 * np.eye(size)])
    target = np.concatenate([*returns, np.zeros(size)])
    weights: Array = np.linalg.lstsq(augmented, target, rcond=None)[0]
    return weights


def explained_variance(values: Array, returns: Array) -> float:
    return float(1 - np.var(returns - values) / np.var(returns))
