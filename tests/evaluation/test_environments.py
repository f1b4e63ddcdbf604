"""Rates of success by environment, and the biased rate of Meta-World's own evaluation."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from maml_rl.cli.results_table import FIRST_THREE, print_environments
from maml_rl.evaluation import AdaptationResults, write_csv, write_task_csv
from maml_rl.evaluation.environments import by_environment, first_three_rate, first_three_rates
from maml_rl.viz.environment_bars import plot_environments

NAMES = ["reach", "push", "push", "reach", "push", "push", "push", "reach"]
BATCHES = (5, 3)


def results(episodes: int = 4) -> AdaptationResults:
    rng = np.random.default_rng(3)
    shape = (2, len(NAMES), episodes)
    successes = (rng.random(shape) < 0.5).astype(np.float32)
    steps = np.where(successes > 0, rng.integers(1, 10, shape), 10)
    tasks = [{"env": name, "rand_vec": np.array([number])} for number, name in enumerate(NAMES)]
    return AdaptationResults(successes * 10, tasks, (0.1,), 7, successes, steps, BATCHES)


def played_out(successes: np.ndarray, steps: np.ndarray) -> float:
    """Return the rate of the first three episodes that end when time goes by step by step."""
    tasks = len(successes)
    episode, age = np.zeros(tasks, int), np.zeros(tasks, int)
    ended: list[float] = []
    while len(ended) < 3:
        age += 1
        for task in range(tasks):
            if age[task] == steps[task, episode[task]]:
                ended.append(float(successes[task, episode[task]]))
                episode[task] += 1
                age[task] = 0
    return float(np.mean(ended[:3]))


def test_the_biased_rate_is_that_of_the_episodes_that_end_first():
    rng = np.random.default_rng(0)
    differs = 0
    for _ in range(200):
        tasks, episodes = rng.integers(1, 6), rng.integers(3, 6)
        successes = (rng.random((tasks, episodes)) < 0.5).astype(np.float32)
        steps = np.where(successes > 0, rng.integers(1, 6, successes.shape), 6)
        rate = first_three_rate(successes, steps)
        assert rate == pytest.approx(played_out(successes, steps))
        differs += rate > successes.mean()
    assert differs > 100  # It favours success.


def test_a_fast_success_hides_failures():
    successes, steps = np.array([[1, 1, 1], [0, 0, 0], [0, 0, 0]]), np.array([[9] * 3, [500] * 3, [500] * 3])
    assert first_three_rate(successes, steps) == 1.0
    assert np.isnan(first_three_rate(successes[:, :2], steps[:, :2]))


def test_the_biased_rate_is_a_mean_over_batches():
    result = results()
    assert result.successes is not None
    assert result.success_steps is not None
    rates = first_three_rates(result, 1)
    for name in ("reach", "push"):
        expected = []
        for batch in (range(5), range(5, 8)):
            tasks = [index for index in batch if NAMES[index] == name]
            expected.append(played_out(result.successes[1, tasks], result.success_steps[1, tasks]))
        assert rates[name] == pytest.approx(np.mean(expected))


def test_every_task_counts_once_in_its_environments_rate():
    result = results()
    assert result.successes is not None
    parts = by_environment(result)
    assert list(parts) == ["reach", "push"]
    for name, part in parts.items():
        chosen = [index for index, other in enumerate(NAMES) if other == name]
        for step, row in enumerate(part.summary()):
            assert row.success == pytest.approx(result.successes[step, chosen].mean())
            assert row.success is not None
            assert row.success_interval is not None
            low, high = row.success_interval
            assert low <= row.success <= high
    assert [task["rand_vec"][0] for task in parts["reach"].tasks] == [0, 3, 7]


def test_tables_have_rows_of_each_environment(tmp_path: Path):
    result = results()
    write_csv(tmp_path / "r.csv", {"policy": result})
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = [(row["environment"], row["gradient_steps"], row["tasks"]) for row in rows]
    everywhere = [("all", "0", "8"), ("all", "1", "8")]
    assert found == [
        *everywhere,
        ("reach", "0", "3"),
        ("reach", "1", "3"),
        ("push", "0", "5"),
        ("push", "1", "5"),
    ]
    biased = first_three_rates(result, 1)
    assert float(rows[3]["first_three_success"]) == pytest.approx(biased["reach"], rel=1e-5)
    assert float(rows[1]["first_three_success"]) == pytest.approx(np.mean([*biased.values()]), rel=1e-5)
    assert float(rows[1]["success"]) == pytest.approx(result.successes[1].mean(), rel=1e-5)  # type: ignore[index]


@pytest.mark.parametrize("told", [True, False])
def test_each_task_has_a_row(told: bool, tmp_path: Path):
    result = results() if told else replace(results(), successes=None)
    write_task_csv(tmp_path / "r.csv", {"policy": result, "other": result})
    with (tmp_path / "r.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["policy"] for row in rows] == ["policy"] * 8 + ["other"] * 8
    assert [int(row["number"]) for row in rows] == [*range(8)] * 2
    for row, task in zip(rows, result.tasks * 2, strict=True):
        assert yaml.safe_load(row["task"])["env"] == task["env"]
    for step in (0, 1):
        found = [float(row[f"return_{step}"]) for row in rows[:8]]
        np.testing.assert_allclose(found, result.returns[step].mean(-1), rtol=1e-5)
        assert (f"success_{step}" in rows[0]) == told
        if told and result.successes is not None:
            found = [float(row[f"success_{step}"]) for row in rows[8:]]
            np.testing.assert_allclose(found, result.successes[step].mean(-1), rtol=1e-5)


def test_the_printed_table_names_environments(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("COLUMNS", "140")
    print_environments({"policy": results(episodes=2)})
    out = capsys.readouterr().out
    rows = [line for line in out.splitlines() if "reach" in line or "push" in line]
    assert len(rows) == 2
    assert "…" in rows[0]
    assert FIRST_THREE in out
    silent = results()
    print_environments({"policy": AdaptationResults(silent.returns, silent.tasks, (0.1,), 7)})
    assert capsys.readouterr().out == ""


def test_there_is_a_bar_for_each_environment_before_and_after():
    figure = plot_environments({"policy": results()})
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_xticklabels()] == ["reach", "push"]
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers if hasattr(bars, "patches")]
    parts = by_environment(results()).values()
    expected = [[part.summary()[step].success for part in parts] for step in (0, 1)]
    assert heights == pytest.approx(np.array(expected, np.float64))
