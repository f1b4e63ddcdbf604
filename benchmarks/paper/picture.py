"""The paper's figures 4 and 5 in five panels: a line for each of our training seeds, the published dots."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.paper.methods import METHODS, TASKS
from benchmarks.paper.results import ours, published
from maml_rl.viz.style import COLORS, new_figure

STEPS = range(4)


def adaptation_curves() -> Figure:
    """Draw returns after 0 … 3 gradient steps of every method: ours, and the paper's with its errors."""
    figure = new_figure(15, 3.4)
    axes = figure.subplots(1, len(TASKS))
    for ax, (task, described) in zip(axes, TASKS.items(), strict=True):
        for method, color in zip(METHODS, COLORS, strict=False):
            _draw(ax, task, method, color)
        ax.set_title(described.title, fontsize=10)
        ax.set(xticks=STEPS, xlabel="gradient steps")
        ax.grid(alpha=0.25)
    axes[0].set_ylabel("mean return over 40 tasks")
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
    for curve in ours(task, method).values():
        if METHODS[method].adapts:
            ax.plot(STEPS, curve.means, "-", color=color)
        else:
            ax.axhline(curve.means[0], color=color, lw=1.5)
