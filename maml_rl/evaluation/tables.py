"""Tables of the results of a test."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from maml_rl._system.files import write_atomically
from maml_rl.errors import in_a_line
from maml_rl.evaluation.environments import by_environment, first_three_rates, have_environments
from maml_rl.evaluation.results import AdaptationResults
from maml_rl.evaluation.task_arrays import task_text

COLUMNS = (
    *("policy", "gradient_steps", "step_size", "tasks", "episodes", "mean_return", "standard_error"),
    *("mean_low", "mean_high", "interquartile_mean", "iqm_low", "iqm_high"),
)
SUCCESS_COLUMNS = ("success", "success_low", "success_high")
ENVIRONMENT_COLUMNS = ("environment", "first_three_success")
EVERYWHERE = "all"
"""What stands in the column of environments where all are meant."""


def write_csv(path: Path, results: Mapping[str, AdaptationResults]) -> None:
    """Write one row per policy and number of gradient steps; ``low`` and ``high`` bound 95 % intervals.

    Rates of success follow where the environment tells them. Where tasks name their environments, rows of
    each follow those of all, and there are the environment and the biased rate, see `first_three_rates`.
    """
    succeeding = all(result.successes is not None for result in results.values())
    columns = [*COLUMNS, *(SUCCESS_COLUMNS if succeeding else ())]
    rows = []
    if have_environments(results):
        columns += ENVIRONMENT_COLUMNS
        for policy, result in results.items():
            biased = [first_three_rates(result, step) for step in range(len(result.returns))]
            means = [fmean(rates.values()) for rates in biased]
            rows += _with(_rows(policy, result), EVERYWHERE, means)
            for name, part in by_environment(result).items():
                rows += _with(_rows(policy, part), name, [rates[name] for rates in biased])
    else:
        rows = [row for policy, result in results.items() for row in _rows(policy, result)]
    _write(path, [columns, *rows])


def write_task_csv(path: Path, results: Mapping[str, AdaptationResults]) -> None:
    """Write one row per policy and task: means over its episodes after 0, 1, 2, … gradient steps.

    Those are ``return_0``, …, and rates ``success_0``, … where the environment tells them; then the task, of
    which a long one is cut.
    """
    succeeding = all(result.successes is not None for result in results.values())
    rows = []
    for policy, result in results.items():
        told = [result.returns, result.successes if succeeding else None]
        means = np.concatenate([x.mean(-1, dtype=np.float64) for x in told if x is not None]).T
        for number, (task, of_task) in enumerate(zip(result.tasks, means, strict=True)):
            rows.append([policy, number, *(f"{mean:.6g}" for mean in of_task), in_a_line(task_text(task))])
    steps = range(len(next(iter(results.values())).returns))
    names = [f"{name}_{step}" for name in ("return", "success")[: 1 + succeeding] for step in steps]
    _write(path, [["policy", "number", *names, "task"], *rows])


def _write(path: Path, rows: list[list[Any]]) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))


def _rows(policy: str, result: AdaptationResults) -> list[list[Any]]:
    """Return the row of each number of gradient steps."""
    _, tasks, episodes = result.returns.shape
    rows = []
    for row in result.summary():
        numbers = [row.mean, row.standard_error, *row.interval]
        numbers += [row.interquartile_mean, *row.interquartile_interval]
        if row.success is not None and row.success_interval is not None:
            numbers += [row.success, *row.success_interval]
        size = "" if row.step_size is None else f"{row.step_size:g}"
        rows.append([policy, row.gradient_steps, size, tasks, episodes, *(f"{x:.6g}" for x in numbers)])
    return rows


def _with(rows: list[list[Any]], environment: str, biased: list[float]) -> list[list[Any]]:
    return [[*row, environment, f"{rate:.6g}"] for row, rate in zip(rows, biased, strict=True)]
