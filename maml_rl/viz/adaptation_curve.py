"""The adaptation curve: return after 0, 1, 2, … gradient steps."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maml_rl.evaluation import AdaptationResults
from maml_rl.viz.style import look, new_figure


def plot_adaptation_curves(results: Mapping[str, AdaptationResults]) -> Figure:
    """Draw the mean over tasks of each policy in ``results``, with 95 % bootstrap intervals.

    Beside the returns stand the rates of success, where the environment tells them.
    """
    tasks = next(iter(results.values())).returns.shape[1]
    summaries = {name: result.summary() for name, result in results.items()}
    succeeding = all(result.successes is not None for result in results.values())
    figure = new_figure(9.6 if succeeding else 5.2, 3.8)
    first, *second = figure.subplots(1, 1 + succeeding, squeeze=False)[0]
    of_trials = all(result.of_trials for result in results.values())
    curves = {name: [(row.mean, row.interval) for row in rows] for name, rows in summaries.items()}
    _draw(first, curves, f"mean return over {tasks} tasks", of_trials)
    for ax in second:
        rates = {
            name: [(row.success, row.success_interval) for row in rows] for name, rows in summaries.items()
        }
        _draw(ax, rates, f"rate of success over {tasks} tasks", of_trials)
        ax.set_ylim(-0.03, 1.03)
    first.legend(frameon=False, fontsize=9)
    return figure


def _draw(ax: Axes, curves: Mapping[str, Sequence[tuple[Any, Any]]], label: str, of_trials: bool) -> None:
    """Draw values with their intervals over gradient steps, or episodes of a trial; a curve per name."""
    for i, (name, points) in enumerate(curves.items()):
        rounds = range(of_trials, of_trials + len(points))
        values, intervals = zip(*points, strict=True)
        low, high = zip(*intervals, strict=True)
        color, marker = look(i)
        ax.plot(rounds, values, color=color, marker=marker, label=name, lw=1.5, markersize=4)
        ax.fill_between(rounds, low, high, color=color, alpha=0.18, lw=0)
    ax.set(xlabel="episode of the trial" if of_trials else "adaptation steps", ylabel=label, xticks=rounds)
    ax.grid(alpha=0.25)
