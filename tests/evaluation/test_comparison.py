"""Comparisons of methods, from returns to tables and pictures."""

import csv
from pathlib import Path

import numpy as np
import pytest

from maml_rl.errors import UsageError
from maml_rl.evaluation.comparison import Comparison, rows_of_all, write_comparison, write_profiles
from maml_rl.viz.comparison import draw_improvement, draw_profiles, draw_returns, plot_comparisons

RNG = np.random.default_rng(0)
RETURNS = {"a": RNG.normal(size=(3, 2, 6)), "b": RNG.normal(size=(4, 2, 6)), "c": RNG.normal(size=(1, 2, 6))}
COMPARISON = Comparison("walks", RETURNS)


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_table_has_a_row_per_method_and_step(tmp_path: Path):
    write_comparison(tmp_path / "x.csv", COMPARISON.rows("b"))
    rows = rows_of(tmp_path / "x.csv")
    assert [(row["method"], row["gradient_steps"]) for row in rows] == [(m, s) for m in "abc" for s in "01"]
    assert {(row["task"], row["scores_per_run"], row["reference"]) for row in rows} == {("walks", "6", "b")}
    assert [row["runs"] for row in rows[::2]] == ["3", "4", "1"]
    last_of_a = rows[1]
    scores = RETURNS["a"][:, 1]
    assert float(last_of_a["mean_return"]) == pytest.approx(scores.mean(), rel=1e-5)
    assert float(last_of_a["interquartile_mean"]) == pytest.approx(
        np.sort(scores.ravel())[4:14].mean(), rel=1e-5
    )
    wins = [x > y for task in range(6) for x in scores[:, task] for y in RETURNS["b"][:, 1, task]]
    assert float(last_of_a["improvement"]) == pytest.approx(np.mean(wins), rel=1e-5)
    means = scores.mean(1)  # Three runs: their interval is their range.
    bounds = float(last_of_a["mean_low"]), float(last_of_a["mean_high"])
    assert bounds == pytest.approx((means.min(), means.max()), rel=1e-5)


def test_a_single_run_has_no_bounds(tmp_path: Path):
    write_comparison(tmp_path / "x.csv", COMPARISON.rows("a"))
    single = rows_of(tmp_path / "x.csv")[-1]
    assert single["method"] == "c"
    assert {
        single[f"{name}_{end}"] for name in ("mean", "iqm", "improvement") for end in ("low", "high")
    } == {""}
    assert float(single["mean_return"]) == pytest.approx(RETURNS["c"][:, 1].mean(), rel=1e-5)


def test_profiles_fall_from_one_to_zero(tmp_path: Path):
    write_profiles(tmp_path / "x.csv", [COMPARISON], 1)
    rows = [row for row in rows_of(tmp_path / "x.csv") if row["method"] == "a"]
    thresholds = np.array([float(row["threshold"]) for row in rows])
    fractions = np.array([float(row["fraction"]) for row in rows])
    every = np.concatenate([returns[:, 1].ravel() for returns in RETURNS.values()])
    assert (thresholds[0], thresholds[-1]) == pytest.approx((every.min(), every.max()), rel=1e-5)
    assert (np.diff(fractions) <= 0).all()
    assert fractions[-1] == 0
    assert fractions[0] > 0.9
    middle = rows[50]
    above = (RETURNS["a"][:, 1] > float(middle["threshold"])).mean()
    assert float(middle["fraction"]) == pytest.approx(above, rel=1e-5)
    assert float(middle["low"]) <= above <= float(middle["high"])


def test_pictures_show_what_the_rows_have():
    figure = plot_comparisons([COMPARISON, COMPARISON], "a", 1)
    returns, improvement, profiles = figure.axes[:3]
    assert len(figure.axes) == 6
    drawn = np.array([line.get_ydata() for line in returns.get_lines()])
    expected = [
        [COMPARISON.row(name, "a", step).interquartile_mean.value for step in (0, 1)] for name in RETURNS
    ]
    np.testing.assert_allclose(drawn, np.array(expected))
    legend = returns.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["a, 3 runs", "b, 4 runs", "c, 1 run"]
    b, c, _half = improvement.get_lines()
    assert np.asarray(b.get_xdata())[0] == COMPARISON.improvement("b", "a", 1).value
    assert (b.get_fillstyle(), c.get_fillstyle()) == ("full", "none")
    assert [text.get_text() for text in improvement.get_yticklabels()] == ["b", "c"]
    assert len(profiles.get_lines()) == 3


def test_panels_can_be_chosen():
    assert len(plot_comparisons([COMPARISON], "a", 1, (draw_returns, draw_improvement)).axes) == 2
    assert len(plot_comparisons([COMPARISON], "a", 0, (draw_profiles,)).axes) == 1


def test_improvement_over_all_families_is_over_all_their_tasks(tmp_path: Path):
    other = Comparison("runs", {"b": RNG.normal(size=(2, 3, 4)), "a": RNG.normal(size=(2, 3, 4))})
    rows = rows_of_all([COMPARISON, other], "a")
    assert [(row.method, row.gradient_steps) for row in rows] == [(m, s) for m in "ab" for s in (0, 1)]
    last = rows[-1]
    by_family = [comparison.improvement("b", "a", 1).value for comparison in (COMPARISON, other)]
    assert last.improvement.value == pytest.approx(np.average(by_family, weights=[6, 4]))
    assert last.improvement.low < last.improvement.value < last.improvement.high
    assert (last.task, last.runs, last.scores_per_run) == ("all", 6, 10)
    write_comparison(tmp_path / "x.csv", rows)
    assert {row["mean_return"] for row in rows_of(tmp_path / "x.csv")} == {""}
    assert rows_of_all([COMPARISON], "a") == []


def test_tests_that_differ_are_not_compared():
    with pytest.raises(UsageError, match=r"walks: 'a' has returns .* = \[2, 6\], 'b' returns .* = \[2, 5\]"):
        Comparison("walks", {"a": np.zeros((2, 2, 6)), "b": np.zeros((2, 2, 5))})


def test_a_method_that_is_not_there():
    with pytest.raises(UsageError, match="walks: no runs of 'd'; expected one of: a, b, c"):
        COMPARISON.rows("d")
