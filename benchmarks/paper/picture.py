"""The paper's figures 4 and 5 in five panels: ours as lines, the published values as dots."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.paper.methods import METHODS, TASKS
from benchmarks.paper.results import ours, published
from maml_rl.viz.style import COLORS, new_figure

STEPS = range(4)


def adaptation_curves() -> Figure:
    """Draw returns after 0 … 3 gradient steps of every method: the mean of our seeds, and the paper's."""
    figure = new_figure(15, 3.4)
    axes = figure.subplots(1, len(TASKS))
    for ax, (task, described) in zip(axes, TASKS.items(), strict=True):
        for method, color in zip(METHODS, COLORS, strict=False):
            _draw(ax, task, method, color)
        untrained = "" if ours(task, "maml") else "\n(only the published values yet)"
        ax.set_title(described.title + untrained, fontsize=10)
        ax.set(xticks=STEPS, xlabel="gradient steps")
        ax.grid(alpha=0.25)
    axes[0].set_ylabel("mean return over 40 unseen tasks")
    legend = [
        ax.plot([], [], "-", color=color, label=method)[0]
        for method, color in zip(METHODS, COLORS, strict=False)
    ]
    legend += [axes[0].plot([], [], "o", mfc="none", color="black", label="published")[0]]
    figure.legend(handles=legend, loc="outside lower center", ncols=len(legend), frameon=False)
    return figure


def _draw(ax: Axes, task: str, method: str, color: str) -> None:
    theirs = published(task, method)
    if METHODS[method].adapts:
        ax.errorbar(STEPS, theirs.means, theirs.standard_errors, fmt="o", mfc="none", color=color, capsize=2)
    else:
        ax.axhline(theirs.means[0], color=color, lw=1, ls=":")
    curves = list(ours(task, method).values())
    if not curves:
        return
    mean = np.mean([curve.means for curve in curves], axis=0)
    error = np.mean([curve.standard_errors for curve in curves], axis=0)
    if METHODS[method].adapts:
        ax.plot(STEPS, mean, "-", color=color)
        ax.fill_between(STEPS, mean - error, mean + error, color=color, alpha=0.18, lw=0)
    else:
        ax.axhline(mean[0], color=color, lw=1.5)
