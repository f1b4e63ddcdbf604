"""The adaptation curve: return after 0, 1, 2, … gradient steps."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from maml_rl.evaluation import AdaptationResults
from maml_rl.viz.style import COLORS, new_figure


def plot_adaptation_curves(results: Mapping[str, AdaptationResults]) -> Figure:
    """Draw the mean over tasks of each policy in ``results``, with 95 % bootstrap intervals."""
    figure = new_figure(5.2, 3.8)
    ax = figure.subplots()
    for i, (name, result) in enumerate(results.items()):
        rows = result.summary()
        steps, means = [row.gradient_steps for row in rows], [row.mean for row in rows]
        low, high = zip(*(row.interval for row in rows), strict=True)
        color = COLORS[i % len(COLORS)]
        ax.plot(steps, means, "o-", color=color, label=name, lw=1.5, markersize=4)
        ax.fill_between(steps, low, high, color=color, alpha=0.18, lw=0)
    tasks = next(iter(results.values())).returns.shape[1]
    ax.set(xlabel="gradient steps", ylabel=f"mean return over {tasks} tasks", xticks=steps)
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=9)
    return figure
