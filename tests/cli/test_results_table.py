"""The table that ``maml-rl test`` prints, of steps and of the episodes of a trial."""

import dataclasses
import math

import numpy as np
import pytest

from maml_rl.cli.results_table import print_environments, print_table
from maml_rl.evaluation import AdaptationResults
from maml_rl.viz.adaptation_curve import plot_adaptation_curves


def results(*step_sizes: float) -> AdaptationResults:
    returns = np.arange(12 * (1 + len(step_sizes)), dtype=np.float32).reshape(-1, 4, 3)
    tasks = [{"env": name} for name in "aabb"]
    return AdaptationResults(
        returns, tasks, step_sizes, 1, np.zeros_like(returns), np.ones(returns.shape, int)
    )


def first_column(text: str) -> list[str]:
    """What stands behind the policy's name, from the head on."""
    rows = [line.split("│" if "│" in line else "┃") for line in text.splitlines() if line[:1] in "│┃"]
    return [cells[2].strip() for cells in rows]


def drawn(mine: AdaptationResults) -> tuple[str, list[int]]:
    """The name of the picture's x axis, and where points are on it."""
    (ax, _) = plot_adaptation_curves({"mine": mine}).axes
    return ax.get_xlabel(), np.asarray(ax.get_lines()[0].get_xdata()).tolist()


def test_gradient_steps_are_counted_from_0(capsys: pytest.CaptureFixture[str]):
    print_table({"mine": results(0.1, 0.05)})
    text = capsys.readouterr().out
    assert first_column(text) == ["steps", "0", "1", "2"]
    assert "step size" in text
    assert "0.05" in text
    assert drawn(results(0.1)) == ("adaptation steps", [0, 1])


def test_episodes_of_a_trial_are_counted_from_1(capsys: pytest.CaptureFixture[str]):
    memory = results(math.nan, math.nan)
    print_table({"mine": memory})
    text = capsys.readouterr().out
    assert first_column(text) == ["episode", "1", "2", "3"]
    assert "step" not in text
    print_environments({"mine": memory})
    assert "episode 3" in capsys.readouterr().out
    assert drawn(memory) == ("episode of the trial", [1, 2, 3])


def test_a_policy_that_remembers_beside_one_that_steps_is_counted_as_the_other(
    capsys: pytest.CaptureFixture[str],
):
    print_table({"one": results(math.nan), "other": results(0.1)})
    assert first_column(capsys.readouterr().out) == ["steps", "0", "1", "0", "1"]


def test_numbers_are_whole_however_narrow_the_screen_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "40")
    huge = dataclasses.replace(results(0.1), returns=1e9 * results(0.1).returns)
    print_table({"mine": huge})
    text = capsys.readouterr().out
    assert "5500000000.00 ± " in text
    assert max(map(len, text.splitlines())) > 60
    print_environments({"mine": huge})
    assert "0% (0% … 0%)" in capsys.readouterr().out
