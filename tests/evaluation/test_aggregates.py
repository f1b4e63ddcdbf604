"""Comparisons of methods against rliable, where it is installed, and against obvious loops.

rliable 1.2.0 runs with arch 7.2.0 and pandas 2.3.3; newer ones of either it does not bear.
"""

from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from maml_rl.errors import UsageError
from maml_rl.evaluation.aggregates import (
    interquartile_score,
    mean_score,
    performance_profile,
    probability_of_improvement,
    strata,
    stratified_interval,
)

X = np.random.default_rng(1).normal(0.3, 1.0, (5, 7)).round(1)  # Rounded, so that some are equal.
Y = np.random.default_rng(2).normal(0.0, 1.0, (4, 7)).round(1)
THRESHOLDS = np.array([-1.0, 0.0, 0.3, 1.5])


def test_the_mean_is_over_tasks_and_runs():
    assert mean_score(strata(X)) == pytest.approx(sum(X.ravel()) / 35)
    ragged = [np.array([[1.0], [3.0]]), np.array([[10.0, 20.0]])]
    assert mean_score(ragged) == pytest.approx((2 + 10 + 20) / 3)


def test_the_interquartile_mean_is_of_all_scores():
    assert interquartile_score(strata(X)) == pytest.approx(np.mean(sorted(X.ravel())[8:27]))
    assert interquartile_score([X]) == interquartile_score(strata(X))


def test_improvement_is_counted_pair_by_pair():
    wins = [
        1.0 if x > y else 0.5 if x == y else 0.0
        for task in range(7)
        for x, y in product(X[:, task], Y[:, task])
    ]
    assert {0.0, 0.5, 1.0} == set(wins)
    improvement = probability_of_improvement(strata(X), strata(Y))
    assert improvement == pytest.approx(np.mean(wins))
    assert probability_of_improvement([X], [Y]) == pytest.approx(improvement)
    assert probability_of_improvement([Y], [X]) == pytest.approx(1 - improvement)


def test_tasks_of_strata_with_many_runs_count_no_more():
    ours = [np.ones((9, 1)), np.zeros((1, 1))]
    theirs = [np.zeros((2, 1)), np.ones((2, 1))]
    assert probability_of_improvement(ours, theirs) == 0.5


def test_a_profile_is_the_part_of_scores_above_each_threshold():
    expected = [np.mean([score > threshold for score in X.ravel()]) for threshold in THRESHOLDS]
    np.testing.assert_allclose(performance_profile(strata(X), THRESHOLDS), expected)


def test_statistics_of_resampled_scores_are_those_of_each_draw():
    draws, others = np.stack([X, X[::-1] + 1, 2 * X]), np.stack([Y, 2 * Y, Y - 1])
    np.testing.assert_allclose(mean_score([draws]), [mean_score([x]) for x in draws])
    np.testing.assert_allclose(interquartile_score([draws]), [interquartile_score([x]) for x in draws])
    np.testing.assert_allclose(
        probability_of_improvement([draws], [others]),
        [probability_of_improvement([x], [y]) for x, y in zip(draws, others, strict=True)],
    )
    np.testing.assert_allclose(
        performance_profile([draws], THRESHOLDS), [performance_profile([x], THRESHOLDS) for x in draws]
    )


def test_the_interval_of_two_runs_is_their_range():
    low, high = stratified_interval(mean_score, [np.array([[1.0, 3.0], [5.0, 9.0]])])
    assert (low, high) == (2.0, 7.0)


def test_runs_of_a_stratum_are_redrawn_whole_and_those_of_others_alone():
    """Ten tasks of the same scores say no more than one if they go together, and more if they do not."""
    one = np.random.default_rng(0).normal(size=(6, 1))
    ten = np.repeat(one, 10, axis=1)
    single = np.diff(stratified_interval(mean_score, [one]))
    assert np.diff(stratified_interval(mean_score, [ten])) == pytest.approx(single)
    assert np.diff(stratified_interval(mean_score, strata(ten))) == pytest.approx(single / 10**0.5, rel=0.1)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(3)
    intervals = [stratified_interval(mean_score, strata(rng.normal(size=(8, 5)))) for _ in range(200)]
    assert 0.85 < np.mean([low < 0 < high for low, high in intervals]) < 0.98


def test_a_single_run_has_no_interval():
    assert np.isnan(stratified_interval(mean_score, strata(X[:1]))).all()
    assert np.isnan(stratified_interval(probability_of_improvement, [X], [Y[:1]])).all()

    def profile(scores: Any) -> Any:
        return performance_profile(scores, THRESHOLDS)

    assert stratified_interval(profile, [X[:1]]).shape == (2, 4)


@pytest.mark.parametrize("scores", [np.zeros(3), np.zeros((2, 0)), np.array([[1.0, np.nan]])])
def test_scores_that_are_none(scores: np.ndarray):
    with pytest.raises(UsageError, match=r"scores: expected finite numbers, \[runs, tasks\]"):
        strata(scores)


def test_methods_on_different_tasks_are_not_compared():
    with pytest.raises(UsageError, match="on the same tasks"):
        probability_of_improvement([X], [Y[:, :5]])


def test_the_definitions_are_those_of_rliable():
    metrics = pytest.importorskip("rliable.metrics")
    library = pytest.importorskip("rliable.library")
    assert mean_score(strata(X)) == pytest.approx(metrics.aggregate_mean(X))
    assert interquartile_score(strata(X)) == pytest.approx(metrics.aggregate_iqm(X))
    improvement = probability_of_improvement(strata(X), strata(Y))
    assert improvement == pytest.approx(metrics.probability_of_improvement(X, Y))
    profile = performance_profile(strata(X), THRESHOLDS)
    np.testing.assert_allclose(profile, library.score_distributions(X, THRESHOLDS))


@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2], ids=["one", "two"])
def test_the_intervals_are_those_of_rliable(number: int):
    """Up to the noise of the draws, which rliable cannot be told the seed of."""
    metrics = pytest.importorskip("rliable.metrics")
    library = pytest.importorskip("rliable.library")
    theirs: Callable[..., Any] = [metrics.aggregate_iqm, metrics.probability_of_improvement][number - 1]
    measures: list[Callable[..., Any]] = [interquartile_score, probability_of_improvement]
    scores = [X, Y][:number]
    np.random.seed(0)
    given = scores[0] if number == 1 else scores
    _, intervals = library.get_interval_estimates({"x": given}, lambda *x: np.array([theirs(*x)]), reps=5000)
    low, high = intervals["x"][:, 0]
    width = high - low
    found = stratified_interval(measures[number - 1], *map(strata, scores))
    np.testing.assert_allclose(found, [low, high], atol=0.06 * width)
