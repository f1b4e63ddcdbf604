"""Averages over tasks, and how sure they are."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating]
Statistic = Callable[[Values], Values]
"""``[..., tasks] -> [...]``."""

RESAMPLES = 10_000
CONFIDENCE = 0.95


def mean(values: Values) -> Values:
    """Return the mean over the last dimension."""
    return np.asarray(values.mean(-1))


def standard_error(values: Values) -> Values:
    """Return the standard error of `mean`; NaN for a single value."""
    number = values.shape[-1]
    if number < 2:
        return np.full(values.shape[:-1], np.nan, values.dtype)
    # Squares of large numbers overflow; divided by a power of two, they keep every bit.
    largest = np.abs(values).max(-1, keepdims=True)
    scale = np.ldexp(np.ones_like(largest), np.frexp(largest)[1] - 1)
    return np.asarray((values / scale).std(-1, ddof=1) * scale[..., 0] / number**0.5)


def interquartile_mean(values: Values) -> Values:
    """Return the mean of the middle half, over the last dimension (Agarwal et al. 2021).

    A quarter of the values, rounded down, is left out at each end.
    """
    cut = values.shape[-1] // 4
    ordered = np.sort(values, axis=-1)
    return np.asarray(ordered[..., cut : values.shape[-1] - cut].mean(-1))


def bootstrap_interval(values: Values, statistic: Statistic) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of ``statistic`` (Efron 1979).

    The tasks are drawn again, with replacement, 10,000 times; always the same draws, so that the
    same results have the same interval.

    Args:
        values: one per task, ``[tasks]``.
    """
    draws = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(statistic(values[draws]), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
