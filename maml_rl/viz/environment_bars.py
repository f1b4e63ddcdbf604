"""Rates of success of each environment, as bars."""

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from maml_rl.evaluation import AdaptationResults
from maml_rl.evaluation.environments import by_environment
from maml_rl.viz.style import COLORS, MUTED, new_figure

WIDTH = 0.8
"""Of all bars of an environment, whose names are 1 apart."""


def plot_environments(results: Mapping[str, AdaptationResults]) -> Figure:
    """Draw a bar per environment before adaptation and after the last step, for each policy in ``results``.

    Lines are 95 % bootstrap intervals over tasks.
    """
    names = list(by_environment(next(iter(results.values()))))
    figure = new_figure(max(5.2, 1.6 + 0.45 * len(names)), 4.2)
    ax = figure.subplots()
    bars = [(policy, step) for policy in results for step in (0, -1)]
    width = WIDTH / len(bars)
    for number, (policy, step) in enumerate(bars):
        rows = [part.summary()[step] for part in by_environment(results[policy]).values()]
        rates = np.array([row.success for row in rows], float)
        low, high = np.array([row.success_interval for row in rows], float).T
        color = COLORS[number // 2 % len(COLORS)] if step else MUTED
        ax.bar(
            np.arange(len(names)) + (number + 0.5) * width - WIDTH / 2,
            rates,
            width,
            yerr=[np.maximum(rates - low, 0.0), np.maximum(high - rates, 0.0)],
            error_kw={"lw": 0.8},
            color=color,
            label=f"{policy}, {'after the last step' if step else 'before adaptation'}",
        )
    ax.set_xticks(range(len(names)), names, rotation=60, ha="right", fontsize=8)
    ax.set(ylabel="rate of success", ylim=(0, 1.03))
    ax.grid(axis="y", alpha=0.25)
    ax.legend(frameon=False, fontsize=8)
    return figure
