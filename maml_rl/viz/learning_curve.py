"""Learning curves from the metrics of one or several runs."""

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from matplotlib.figure import Figure

from maml_rl.intervals import Values, standard_error
from maml_rl.training.tables import Columns
from maml_rl.viz.style import COLORS, new_figure

Axis = Literal["iteration", "env_steps"]
AXES: dict[Axis, str] = {"iteration": "meta-updates", "env_steps": "env steps"}


def plot_learning_curves(groups: Mapping[str, Sequence[Columns]], axis: Axis = "iteration") -> Figure:
    """Draw the mean return before and after adaptation, a pair of curves per group of runs.

    Of one run the shade is ± one standard error over the batch's tasks; of several, which differ in their
    seed, the curve is their mean and the shade ± one standard error over the seeds.

    Args:
        axis: what runs along x: meta-updates or env steps.
    """
    figure = new_figure(6.4, 4.4)
    ax = figure.subplots()
    for i, (name, runs) in enumerate(groups.items()):
        last = sum(key.startswith("return_") for key in runs[0]) - 1
        color = COLORS[i % len(COLORS)]
        for step, style in {0: ":", last: "-"}.items():
            x, mean, error = _mean_and_error(runs, step, axis)
            label = f"{name}, after {step} step{'' if step == 1 else 's'}"
            ax.plot(x, mean, style, color=color, label=label, lw=1.5)
            ax.fill_between(x, mean - error, mean + error, color=color, alpha=0.15, lw=0)
    ax.set(xlabel=AXES[axis], ylabel="mean return of a training batch")
    ax.grid(alpha=0.25)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _mean_and_error(runs: Sequence[Columns], step: int, axis: Axis) -> tuple[Values, Values, Values]:
    """Return x, and what to draw over it: as far as all runs have come."""
    first, *others = runs
    if not others:
        return first[axis], first[f"return_{step}"], first[f"stderr_{step}"]
    x = first[axis][first[axis] <= min(run[axis][-1] for run in runs)]
    curves = np.stack([np.interp(x, run[axis], run[f"return_{step}"]) for run in runs])
    return x, curves.mean(0), standard_error(curves.T)
