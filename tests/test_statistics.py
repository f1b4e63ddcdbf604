"""Averages over tasks against obvious loops."""

from statistics import stdev

import numpy as np
import pytest

from maml_rl.statistics import bootstrap_interval, interquartile_mean, mean, standard_error


@pytest.mark.parametrize(
    ("values", "expected"),
    [([3.0], 3.0), ([1, 2, 6], 3.0), ([1, 2, 3, 100], 2.5), ([-50, 1, 2, 3, 4, 5, 6, 900], 3.5)],
)
def test_the_interquartile_mean_leaves_a_quarter_out_at_each_end(values: list[float], expected: float):
    shuffled = np.random.default_rng(0).permutation(values).astype(float)
    assert interquartile_mean(shuffled) == pytest.approx(expected)
    np.testing.assert_allclose(
        interquartile_mean(np.stack([shuffled, 2 * shuffled])), [expected, 2 * expected]
    )


def test_the_interval_of_the_mean_is_that_of_the_normal_distribution_for_many_tasks():
    values = np.random.default_rng(0).normal(5.0, 2.0, 1000)
    low, high = bootstrap_interval(values, mean)
    half = 1.96 * values.std() / 1000**0.5
    assert low == pytest.approx(values.mean() - half, abs=0.01)
    assert high == pytest.approx(values.mean() + half, abs=0.01)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(1)
    intervals = [bootstrap_interval(rng.exponential(1.0, 40), mean) for _ in range(300)]
    covered = np.mean([low < 1.0 < high for low, high in intervals])
    assert 0.87 < covered < 0.98


def test_the_same_values_have_the_same_interval():
    values = np.random.default_rng(0).normal(size=7)
    assert bootstrap_interval(values, interquartile_mean) == bootstrap_interval(values, interquartile_mean)


def test_a_single_task_is_its_own_interval():
    assert bootstrap_interval(np.array([2.5]), mean) == (2.5, 2.5)


@pytest.mark.parametrize("size", [1e-6, 1.0, 3e4])
@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_standard_error_has_the_bits_of_its_formula(size: float, kind: type[np.floating]):
    values = (size * np.random.default_rng(0).standard_normal((40, 7))).astype(kind)
    plain = values.std(-1, ddof=1) / 7**0.5
    assert standard_error(values).tobytes() == plain.tobytes()
    assert standard_error(values[3]).tobytes() == plain[3].tobytes()


@pytest.mark.parametrize("size", [0.0, 1e-30, 1e30, 3e38])
def test_the_standard_error_of_any_numbers(size: float):
    """Their squares need not be numbers of their kind; nor has another row to be of their size."""
    rows = np.array([[size, -size, size / 2], [1.0, -1.0, 0.5]], np.float32)
    expected = [size * stdev([1, -1, 0.5]) / 3**0.5, stdev([1, -1, 0.5]) / 3**0.5]
    np.testing.assert_allclose(standard_error(rows), expected, rtol=1e-6)


def test_the_standard_error_is_that_of_the_mean():
    values = np.random.default_rng(0).standard_normal((3, 7))
    np.testing.assert_allclose(standard_error(values), [stdev(row) / 7**0.5 for row in values])
    assert np.isnan(standard_error(values[:, :1])).all()
