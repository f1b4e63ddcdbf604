"""The charts of a report as plain data, which the page's script draws.

A chart has ``title``, ``axes`` (names of what may run along x), ``x`` (``[axis][run]``, lists of numbers),
and ``quantities``, one of which is shown at a time. A quantity has ``label``, ``note`` and ``lines``; a line
its ``run`` (a number), ``name``, ``dotted``, ``y``, and ``low`` and ``high`` (bounds of its shade). What is
not a number is None.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maml_rl.config.methods import method_named
from maml_rl.evaluation import AdaptationResults
from maml_rl.viz.learning_curve import AXES, last_step, learning_curve
from maml_rl.viz.report.runs import ReportedRun

Chart = dict[str, Any]
IN_PAIRS = ("iteration", "env_steps", "return_", "stderr_")
"""What columns begin with that have no quantity of their own."""


def learning_chart(runs: Sequence[ReportedRun]) -> Chart | None:
    """Return the chart of all runs' metrics over training; None if none has any."""
    if not any(run.metrics for run in runs):
        return None
    return_note = "Mean return of each training batch; the shade is ± one standard error over its tasks."
    quantities = [_before_and_after(runs, "return", return_note)]
    if any("success_0" in (run.metrics or {}) for run in runs):
        note = "Rate of successful episodes in each training batch."
        quantities.append(_before_and_after(runs, "success", note))
    return {
        "title": "Learning curves",
        "axes": list(AXES.values()),
        "x": [[_plain(run.metrics[axis]) if run.metrics else [] for run in runs] for axis in AXES],
        "quantities": quantities + [_column(runs, name) for name in _columns(runs)],
    }


def adaptation_chart(results: Mapping[int, AdaptationResults]) -> Chart | None:
    """Return the chart of returns after 0, 1, … adaptation steps; None if there are none.

    Args:
        results: by the run's number.
    """
    if not results:
        return None
    summaries = {number: result.summary() for number, result in results.items()}
    note = "Mean over unseen tasks; the shade is its 95 % bootstrap interval over tasks."
    means = {n: [(row.mean, row.interval) for row in rows] for n, rows in summaries.items()}
    rates = {
        n: [(row.success, row.success_interval or ()) for row in rows]
        for n, rows in summaries.items()
        if results[n].successes is not None
    }
    quantities = [_over_steps(means, "return", note)]
    if rates:
        quantities.append(_over_steps(rates, "success", note))
    most = max(results) + 1
    steps = [list(range(len(summaries[n]))) if n in summaries else [] for n in range(most)]
    return {"title": "Adaptation", "axes": ["adaptation steps"], "x": [steps], "quantities": quantities}


def _over_steps(curves: Mapping[int, Sequence[tuple[Any, Any]]], label: str, note: str) -> dict[str, Any]:
    lines = []
    for number, points in curves.items():
        values, intervals = zip(*points, strict=True)
        low, high = np.array(intervals).T
        lines.append(_line(number, label, values, (low, high)))
    return {"label": label, "note": note, "lines": lines}


def _before_and_after(runs: Sequence[ReportedRun], what: str, note: str) -> dict[str, Any]:
    lines = []
    for number, run in enumerate(runs):
        if run.metrics is None or f"{what}_0" not in run.metrics:
            continue
        last = last_step(run.metrics)
        for step in dict.fromkeys((0, last)):
            _, mean, error = learning_curve([run.metrics], what, step, "iteration")
            bounds = (mean - error, mean + error) if error.any() else None
            lines.append(_line(number, run.round_name(step), mean, bounds, dotted=step < last))
    return {"label": what, "note": note, "lines": lines}


def _columns(runs: Sequence[ReportedRun]) -> list[str]:
    """Return the names of metrics that have a quantity of their own."""
    names = dict.fromkeys(name for run in runs for name in run.metrics or {})
    pairs = {f"success_{step}" for run in runs for step in range(last_step(run.metrics or {}) + 1)}
    return [name for name in names if name not in pairs and not name.startswith(IN_PAIRS)]


def _column(runs: Sequence[ReportedRun], name: str) -> dict[str, Any]:
    lines, told = [], None
    for number, run in enumerate(runs):
        if run.metrics is None or name not in run.metrics:
            continue
        lines.append(_line(number, name, run.metrics[name]))
        told = told or method_named(run.config.metalearner).load().columns.get(name)
    unit = f", in {told.unit}" if told and told.unit else ""
    return {"label": name, "note": f"{name}{unit}: {told.text}." if told else "", "lines": lines}


def _line(
    run: int,
    name: str,
    y: Iterable[float],
    bounds: tuple[NDArray[Any], NDArray[Any]] | None = None,
    dotted: bool = False,
) -> dict[str, Any]:
    low, high = map(_plain, bounds) if bounds else (None, None)
    return {"run": run, "name": name, "dotted": dotted, "y": _plain(y), "low": low, "high": high}


def _plain(values: Iterable[float]) -> list[float | None]:
    """Return numbers with six digits, as tables of metrics have them."""
    return [float(f"{value:.6g}") if np.isfinite(value) else None for value in values]
