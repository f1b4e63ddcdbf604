"""Learning curves from the metrics of one or several runs."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maml_rl.errors import UsageError
from maml_rl.viz.style import COLORS, new_figure

Columns = Mapping[str, NDArray[np.float64]]


def read_metrics(path: Path) -> Columns:
    """Read a ``metrics.csv``.

    Raises:
        UsageError: the file is missing, empty or not a table of numbers with the columns of a run.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = {key: np.array([float(row[key]) for row in rows]) for key in rows[0]}
        if missing := {"iteration", "return_0", "stderr_0"} - columns.keys():
            raise ValueError(missing)
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from None
    except (IndexError, ValueError, TypeError):
        raise UsageError(f"'{path}' is not a table of metrics, as 'maml-rl train' writes it") from None
    return columns


def plot_learning_curves(runs: Mapping[str, Columns]) -> Figure:
    """Draw the mean return before and after adaptation over meta-updates, ± one standard error."""
    figure = new_figure(6.4, 4.0)
    ax = figure.subplots()
    for color, (name, metrics) in zip(_cycle(len(runs)), runs.items(), strict=True):
        last = sum(key.startswith("return_") for key in metrics) - 1
        for step, style in {0: ":", last: "-"}.items():
            mean, error = metrics[f"return_{step}"], metrics[f"stderr_{step}"]
            label = f"{name}, after {step} step{'' if step == 1 else 's'}"
            ax.plot(metrics["iteration"], mean, style, color=color, label=label, lw=1.5)
            ax.fill_between(metrics["iteration"], mean - error, mean + error, color=color, alpha=0.15, lw=0)
    ax.set(xlabel="meta-updates", ylabel="mean return of a training batch")
    ax.grid(alpha=0.25)
    ax.legend(frameon=False, fontsize=9)
    return figure


def _cycle(count: int) -> Sequence[str]:
    return [COLORS[i % len(COLORS)] for i in range(count)]
