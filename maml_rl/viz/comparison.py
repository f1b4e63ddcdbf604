"""Pictures of comparisons: returns, probabilities of improvement and performance profiles."""

from collections.abc import Callable, Sequence
from itertools import product
from textwrap import fill

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from maml_rl.evaluation.comparison import Comparison
from maml_rl.viz.style import MUTED, look, look_of_line, new_figure

LONGEST_LINE = 28
"""Letters in a line of a legend."""
Panel = Callable[[Axes, Comparison, str, int], None]
"""Draws a comparison over a reference method, mostly after a number of gradient steps."""


def draw_returns(ax: Axes, comparison: Comparison, reference: str, _: int) -> None:
    """Draw interquartile means over the number of gradient steps, with intervals where there are some."""
    names = list(comparison.returns)
    for i, name in enumerate(names):
        rows = [comparison.row(name, reference, step) for step in range(comparison.num_steps + 1)]
        x = np.arange(len(rows)) + 0.5 * ((i + 0.5) / len(names) - 0.5)  # Side by side, to be told apart.
        value, low, high = np.array([row.interquartile_mean for row in rows]).T
        runs = rows[0].runs
        label = f"{name}, {_number(runs, 'run')}"
        color, marker = look(i)
        ax.plot(x, value, linestyle=":", marker=marker, color=color, label=label, lw=0.8, markersize=4)
        ax.vlines(x, low, high, color=color, lw=1.5)
    ax.set(xlabel="gradient steps", ylabel="return, interquartile mean", xticks=range(len(rows)))
    ax.grid(alpha=0.25, axis="y")
    _draw_legend(ax)


def draw_improvement(ax: Axes, comparison: Comparison, reference: str, step: int) -> None:
    """Draw how probable it is that a run of each method has a larger return than one of the reference.

    A value without an interval, from a single run of either, is a hollow marker.
    """
    others = [(i, name) for i, name in enumerate(comparison.returns) if name != reference]
    for place, (i, name) in enumerate(others):
        value, low, high = comparison.improvement(name, reference, step)
        color, marker = look(i)
        filled = "none" if np.isnan(low) else "full"
        ax.plot(value, place, marker=marker, color=color, markersize=5, fillstyle=filled)
        ax.hlines(place, low, high, color=color, lw=1.5)
    ax.axvline(0.5, color=MUTED, lw=1)
    ax.set(
        xlabel=f"probability of a larger return than\n{reference} after {_number(step, 'step')}",
        xlim=(-0.03, 1.03),
        yticks=range(len(others)),
        yticklabels=[name for _, name in others],
        ylim=(max(len(others), 1) - 0.5, -0.5),
    )
    ax.grid(alpha=0.25, axis="x")


def draw_profiles(ax: Axes, comparison: Comparison, _: str, step: int) -> None:
    """Draw the fraction of runs and tasks whose return is above each threshold."""
    thresholds = comparison.thresholds(step)
    for i, name in enumerate(comparison.returns):
        profile, (low, high) = comparison.profile(name, step, thresholds)
        (line,) = ax.plot(thresholds, profile, label=name, lw=1.5, **look_of_line(i))
        ax.fill_between(thresholds, low, high, color=line.get_color(), alpha=0.15, lw=0)
    ax.set(
        xlabel=f"return after {_number(step, 'step')}",
        ylabel="fraction of runs and tasks above",
        ylim=(-0.03, 1.03),
    )
    ax.grid(alpha=0.25)
    _draw_legend(ax)


def plot_comparisons(
    comparisons: Sequence[Comparison],
    reference: str,
    step: int = 1,
    panels: Sequence[Panel] = (draw_returns, draw_improvement, draw_profiles),
) -> Figure:
    """Draw a row of panels for each comparison.

    Args:
        reference: the method that the others are compared with.
        step: number of gradient steps that improvement and profiles are after.
    """
    figure = new_figure(5.2 * len(panels), 3.8 * len(comparisons))
    axes = figure.subplots(len(comparisons), len(panels), squeeze=False)
    for (row, comparison), (column, draw) in product(enumerate(comparisons), enumerate(panels)):
        draw(axes[row, column], comparison, reference, step)
    for (first, *_), comparison in zip(axes, comparisons, strict=True):
        first.set_title(comparison.task, fontsize=10)
    return figure


def _draw_legend(ax: Axes) -> None:
    """Draw the legend beside the panel, where it covers nothing; long names take several lines."""
    lines, labels = ax.get_legend_handles_labels()
    wrapped = [fill(label, LONGEST_LINE) for label in labels]
    ax.legend(
        lines,
        wrapped,
        frameon=False,
        fontsize=7,
        loc="upper left",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.0,
    )


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
