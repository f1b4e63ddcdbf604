"""Learning curves from the metrics of one or several runs."""

import warnings
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from maml_rl.adaptation.names import after, episode
from maml_rl.statistics import Values, standard_error
from maml_rl.training.metrics import return_columns
from maml_rl.training.tables import Columns
from maml_rl.viz.style import look_of_line, new_figure, set_fonts

Axis = Literal["iteration", "env_steps"]
AXES: dict[Axis, str] = {"iteration": "meta-updates", "env_steps": "env steps"}
NEEDED = (*AXES, "return_0", "stderr_0")
"""Columns of metrics that every learning curve takes."""
LEGENDS = ((2, 9), (1, 9), (1, 7), (1, 5))
"""Columns and sizes of letters that a legend is tried with, in order."""


def plot_learning_curves(groups: Mapping[str, Sequence[Columns]], axis: Axis = "iteration") -> Figure:
    """Draw the mean return before and after adaptation, a pair of curves per group of runs.

    Of one run the shade is ± one standard error over the batch's tasks; of several, which differ in their
    seed, the curve is their mean and the shade ± one standard error over the seeds.

    Args:
        axis: what runs along x: meta-updates or env steps.
    """
    succeeding = all("success_0" in run for runs in groups.values() for run in runs)
    figure = new_figure(6.4, 7.2 if succeeding else 4.0)
    first, *second = figure.subplots(1 + succeeding, 1, squeeze=False, sharex=True)[:, 0]
    _draw(first, groups, "return", axis)
    first.set_ylabel("mean return of a training batch")
    for ax in second:
        _draw(ax, groups, "success", axis)
        ax.set(ylabel="rate of success of a training batch", ylim=(-0.03, 1.03))
    figure.axes[-1].set_xlabel(AXES[axis])
    first.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    _name_curves(figure, first)
    return figure


def _name_curves(figure: Figure, ax: Axes) -> None:
    """Put the legend below, where the picture grows by it; in one column, and smaller, if names are long."""
    named = ax.get_legend_handles_labels()
    for columns, size in LEGENDS:
        legend = figure.legend(
            *named, loc="outside lower center", ncols=columns, frameon=False, fontsize=size
        )
        set_fonts(legend)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*missing from font")  # Saving says so.
            box = legend.get_window_extent()
        if box.width <= figure.bbox.width or (columns, size) == LEGENDS[-1]:
            figure.set_figheight(figure.get_figheight() + box.height / figure.dpi)
            return
        legend.remove()


def _draw(ax: Axes, groups: Mapping[str, Sequence[Columns]], what: str, axis: Axis) -> None:
    """Draw a quantity before and after adaptation, a pair of curves per group."""
    for i, (name, runs) in enumerate(groups.items()):
        for step, style in {0: ":", last_step(runs[0]): "-"}.items():
            x, mean, error = learning_curve(runs, what, step, axis)
            label = f"{name}, {round_name(runs[0], step)}"
            (line,) = ax.plot(x, mean, style, label=label, lw=1.5, **look_of_line(i))
            ax.fill_between(x, mean - error, mean + error, color=line.get_color(), alpha=0.15, lw=0)
    ax.grid(alpha=0.25)


def round_name(columns: Columns, step: int) -> str:
    """Return how legends call the episodes of a round: those of RL² follow one another in a trial."""
    return (episode if "trial_return" in columns else after)(step)


def last_step(columns: Columns) -> int:
    """Return how many adaptation steps a run's metrics are after."""
    return len(return_columns(columns)) - 1


def learning_curve(
    runs: Sequence[Columns], what: str, step: int, axis: Axis
) -> tuple[Values, Values, Values]:
    """Return x, and the mean and its error over it: as far as all runs have come.

    The error of a single run is that of its returns over tasks; rates of success have none.

    Args:
        what: ``return`` or ``success``.
        step: adaptation steps before it.
    """
    first, *others = runs
    column = f"{what}_{step}"
    if not others:
        values = first[column]
        return first[axis], values, first[f"stderr_{step}"] if what == "return" else np.zeros_like(values)
    x = first[axis][first[axis] <= min(run[axis][-1] for run in runs)]
    curves = np.stack([np.interp(x, run[axis], run[column]) for run in runs])
    return x, curves.mean(0), standard_error(curves.T)
