"""Statistics that compare methods from a few runs each (Agarwal et al. 2021, arXiv 2108.13264).

The scores of a method are a list of strata, each an array ``[runs, tasks]``. Each run of a stratum is redrawn
as a whole, and the strata are redrawn independently. Where each pair of a task and a seed is a training of
its own, every task is a stratum: `strata` makes them from one array. Where a run is tested on many tasks, its
scores depend on one another and belong to one stratum; the tasks that are trained for separately are then the
strata. The numbers of runs may differ between strata and between methods.

Every statistic also takes resampled strata, ``[draws, runs, tasks]``, and then returns ``[draws, ...]``.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maml_rl.errors import UsageError
from maml_rl.statistics import CONFIDENCE, interquartile_mean

Values = NDArray[np.float64]
Strata = Sequence[Values]
Statistic = Callable[..., Values]
"""Takes the strata of one or more methods."""

RESAMPLES, CHUNK = 5000, 500


def strata(scores: NDArray[Any]) -> list[Values]:
    """Return the columns of ``[runs, tasks]``, each a stratum of its own, ``[runs, 1]``.

    Raises:
        UsageError: that is not the shape, or a score is not finite.
    """
    array = np.asarray(scores, np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise UsageError(f"scores: expected finite numbers, [runs, tasks], got an array {list(array.shape)}")
    return [array[:, [task]] for task in range(array.shape[1])]


def mean_score(scores: Strata) -> Values:
    """Return the mean over tasks of each task's mean over runs."""
    return np.asarray(np.concatenate([stratum.mean(-2) for stratum in scores], -1).mean(-1))


def interquartile_score(scores: Strata) -> Values:
    """Return the interquartile mean of all scores: each run on each task is one."""
    return np.asarray(interquartile_mean(_flat(scores)), np.float64)


def probability_of_improvement(ours: Strata, theirs: Strata) -> Values:
    """Return how probable it is that a run of ours has a larger score than one of theirs on the same task.

    It is a mean over pairs of runs and over tasks; equal scores count one half.

    Raises:
        UsageError: the tasks are not the same in number.
    """
    if [x.shape[-1] for x in ours] != [y.shape[-1] for y in theirs]:
        raise UsageError("probability of improvement: expected scores of both methods on the same tasks")
    by_task = []
    for x, y in zip(ours, theirs, strict=True):
        difference = x[..., :, None, :] - y[..., None, :, :]
        by_task.append((0.5 + 0.5 * np.sign(difference)).mean((-3, -2)))
    return np.asarray(np.concatenate(by_task, -1).mean(-1))


def performance_profile(scores: Strata, thresholds: Values) -> Values:
    """Return the fraction of scores above each threshold, ``[thresholds]``: each run on each task is one."""
    flat = _flat(scores)
    return np.stack([(flat > threshold).mean(-1) for threshold in thresholds], -1)


def stratified_interval(statistic: Statistic, *methods: Strata) -> Values:
    """Return the 95 % percentile interval of a stratified bootstrap over runs, ``[2, ...]``: low and high.

    The same scores have the same interval, for the draws are always the same. Of a single run nothing can be
    said: where a stratum has but one, the interval is NaN. Of one stratum of two or three runs it is their
    range.

    Args:
        statistic: a function of the methods' scores.
        methods: the scores of each.
    """
    if any(len(stratum) < 2 for method in methods for stratum in method):
        return np.full((2, *np.shape(statistic(*methods))), np.nan)
    generator = np.random.default_rng(0)

    def redrawn(stratum: Values) -> Values:
        return stratum[generator.integers(len(stratum), size=(CHUNK, len(stratum)))]

    values = [
        statistic(*([redrawn(stratum) for stratum in method] for method in methods))
        for _ in range(RESAMPLES // CHUNK)
    ]
    return np.quantile(np.concatenate(values), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)


def _flat(scores: Strata) -> Values:
    """Return all scores in one dimension, the last."""
    return np.concatenate([stratum.reshape(*stratum.shape[:-2], -1) for stratum in scores], -1)
