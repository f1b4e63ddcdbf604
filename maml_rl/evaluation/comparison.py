"""Methods beside one another on the same tasks, after each number of gradient steps."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from maml_rl._system.files import write_atomically
from maml_rl.errors import UsageError, did_you_mean
from maml_rl.evaluation.aggregates import (
    Statistic,
    Values,
    interquartile_score,
    mean_score,
    performance_profile,
    probability_of_improvement,
    stratified_interval,
)

ALL = "all"
"""Task of the rows over all families."""
THRESHOLDS = 101
"""Returns at which a performance profile is taken."""


class Estimate(NamedTuple):
    """A statistic and its 95 % bootstrap interval over runs; NaN bounds where a method has a single run."""

    value: float
    low: float
    high: float


class ComparisonRow(NamedTuple):
    """What is told of a method after a number of gradient steps.

    Args:
        task: the family of tasks.
        runs: number of them; in rows over all families, of all families together.
        scores_per_run: test tasks that each run has a return of; 1 if only their mean is known; in rows over
            all families, the test tasks of all families together.
        reference: the method that `improvement`, the probability of improvement, is over.
    """

    task: str
    method: str
    gradient_steps: int
    runs: int
    scores_per_run: int
    mean: Estimate
    interquartile_mean: Estimate
    reference: str
    improvement: Estimate


@dataclass(frozen=True)
class Comparison:
    """Returns of several methods on one family of tasks.

    Args:
        task: name of the family.
        returns: ``[runs, gradient steps + 1, test tasks]`` by method; the test tasks are the same for all.
    """

    task: str
    returns: Mapping[str, Values]

    def __post_init__(self) -> None:
        shapes = {name: np.shape(returns)[1:] for name, returns in self.returns.items()}
        first, *others = shapes
        for other in others:
            if shapes[other] != shapes[first]:
                raise UsageError(
                    f"{self.task}: '{first}' has {_amount(shapes[first])}, '{other}' "
                    f"{_amount(shapes[other])}: test both alike"
                )

    @property
    def num_steps(self) -> int:
        """Gradient steps of the tests."""
        return next(iter(self.returns.values())).shape[1] - 1

    def scores(self, method: str, step: int) -> list[Values]:
        """Return a method's scores after ``step`` gradient steps.

        They are one stratum, for each run is tested on all tasks.

        Raises:
            UsageError: there is no such method.
        """
        if method not in self.returns:
            raise UsageError(f"{self.task}: no runs of '{method}'{did_you_mean(method, self.returns)}")
        return [np.asarray(self.returns[method][:, step], np.float64)]

    def improvement(self, method: str, reference: str, step: int) -> Estimate:
        """Return the probability that a run of ``method`` has a larger return than one of ``reference``."""
        return _estimate(probability_of_improvement, self.scores(method, step), self.scores(reference, step))

    def profile(self, method: str, step: int, thresholds: Values) -> tuple[Values, Values]:
        """Return the performance profile, ``[thresholds]``, and its interval, ``[2, thresholds]``."""
        at = partial(performance_profile, thresholds=thresholds)
        scores = self.scores(method, step)
        return at(scores), stratified_interval(at, scores)

    def thresholds(self, step: int) -> Values:
        """Return returns from the lowest of any method to the highest."""
        every = np.concatenate([self.scores(method, step)[0].ravel() for method in self.returns])
        return np.linspace(every.min(), every.max(), THRESHOLDS)

    def row(self, method: str, reference: str, step: int) -> ComparisonRow:
        """Return what is told of a method after ``step`` gradient steps."""
        scores = self.scores(method, step)
        return ComparisonRow(
            self.task,
            method,
            step,
            len(scores[0]),
            scores[0].shape[1],
            _estimate(mean_score, scores),
            _estimate(interquartile_score, scores),
            reference,
            self.improvement(method, reference, step),
        )

    def rows(self, reference: str) -> list[ComparisonRow]:
        """Return the rows of all methods, each after 0, 1, 2, … gradient steps."""
        steps = range(self.num_steps + 1)
        return [self.row(method, reference, step) for method in self.returns for step in steps]


def rows_of_all(comparisons: Sequence[Comparison], reference: str) -> list[ComparisonRow]:
    """Return the probabilities of improvement over all families of tasks, for methods that were run on each.

    Every family is a stratum of its own, and every test task counts alike. Returns of different families have
    no common mean: it is NaN.
    """
    everywhere = [m for m in comparisons[0].returns if all(m in other.returns for other in comparisons)]
    if len(comparisons) < 2 or everywhere == [reference]:  # There is nothing to be better than.
        return []
    rows = []
    unknown = Estimate(np.nan, np.nan, np.nan)
    for method in everywhere:
        for step in range(min(comparison.num_steps for comparison in comparisons) + 1):
            ours = [scores for comparison in comparisons for scores in comparison.scores(method, step)]
            theirs = [scores for comparison in comparisons for scores in comparison.scores(reference, step)]
            runs = sum(len(scores) for scores in ours)
            tasks = sum(scores.shape[1] for scores in ours)
            improvement = _estimate(probability_of_improvement, ours, theirs)
            rows.append(
                ComparisonRow(ALL, method, step, runs, tasks, unknown, unknown, reference, improvement)
            )
    return rows


def _estimate(statistic: Statistic, *scores: list[Values]) -> Estimate:
    return Estimate(float(statistic(*scores)), *map(float, stratified_interval(statistic, *scores)))


def _amount(shape: tuple[int, ...]) -> str:
    steps, tasks = shape
    return f"returns [steps + 1, tasks] = [{steps}, {tasks}]"


COLUMNS = (
    *("task", "method", "gradient_steps", "runs", "scores_per_run", "mean_return", "mean_low", "mean_high"),
    *("interquartile_mean", "iqm_low", "iqm_high"),
    *("reference", "improvement", "improvement_low", "improvement_high"),
)
PROFILE_COLUMNS = ("task", "method", "gradient_steps", "threshold", "fraction", "low", "high")


def write_comparison(path: Path, rows: Sequence[ComparisonRow]) -> None:
    """Write a CSV file; a bound that is not known is empty."""
    _write(
        path,
        COLUMNS,
        (
            [
                *row[:5],
                *map(_short, (*row.mean, *row.interquartile_mean)),
                row.reference,
                *map(_short, row.improvement),
            ]
            for row in rows
        ),
    )


def write_profiles(path: Path, comparisons: Sequence[Comparison], step: int) -> None:
    """Write a CSV file of all methods' performance profiles after ``step`` gradient steps."""
    rows = []
    for comparison in comparisons:
        thresholds = comparison.thresholds(step)
        for method in comparison.returns:
            profile, interval = comparison.profile(method, step, thresholds)
            points = zip(thresholds, profile, *interval, strict=True)
            rows += [(comparison.task, method, step, *map(_short, numbers)) for numbers in points]
    _write(path, PROFILE_COLUMNS, rows)


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))


def _short(value: float) -> str:
    return "" if np.isnan(value) else f"{value:.6g}"
