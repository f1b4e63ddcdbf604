"""Ours beside the published values, as Markdown, and drawn: ``python -m benchmarks.paper.table``."""

from collections.abc import Sequence

import numpy as np

from benchmarks.paper.methods import HERE, METHODS, TASKS
from benchmarks.paper.picture import adaptation_curves
from benchmarks.paper.results import Curve, ours, published
from maml_rl.statistics import mean, standard_error
from maml_rl.viz.style import save_figure

HEAD = "| | 0 steps | 1 step | 2 steps | 3 steps |\n| --- | --- | --- | --- | --- |"


def comparison(task: str) -> str:
    """Return Markdown rows: published and ours after 0 … 3 steps; a value within its bar is bold.

    The bar is the published mean minus one published standard error, after 1, 2 and 3 steps of MAML.
    """
    lines = []
    for method in METHODS:
        theirs = published(task, method)
        lines.append(_row(f"{task}, {method}, published", _cells(theirs)))
        curves = {f"seed {seed}": curve for seed, curve in ours(task, method).items()}
        if len(curves) > 1:
            curves["mean of the seeds"] = over_seeds(list(curves.values()))
        for name, curve in curves.items():
            cells = _cells(curve)
            if method == "maml":
                reached = passed(curve, theirs)
                cells = [f"**{cell}**" if ok else cell for cell, ok in zip(cells, reached, strict=True)]
            lines.append(_row(f"{task}, {method}, {name}", cells))
    return "\n".join(lines)


def over_seeds(curves: Sequence[Curve]) -> Curve:
    """Return the mean of the curves' means, and its standard error over the curves: NaN for one alone."""
    means = np.array([curve.means for curve in curves]).T
    return Curve(tuple(mean(means).tolist()), tuple(standard_error(means).tolist()))


def scores(maml: Curve, random: Curve, oracle: Curve) -> list[float]:
    """Return how much of the way from the untrained policy to the oracle MAML has gone, after 0 … 3 steps."""
    nothing, everything = random.means[0], oracle.means[0]
    return [(value - nothing) / (everything - nothing) for value in maml.means]


def scores_row(task: str) -> str:
    """Return a Markdown row: our scores, in the mean of the seeds, and the published ones in parentheses."""
    methods = ("maml", "random", "oracle")
    here = scores(*(over_seeds(list(ours(task, method).values())) for method in methods))
    theirs = scores(*(published(task, method) for method in methods))
    return _row(task, [f"{a:.2f} ({b:.2f})" for a, b in zip(here, theirs, strict=True)])


def passed(curve: Curve, bar: Curve) -> list[bool]:
    """Return which means are at least the published one minus its standard error; the first never counts."""
    pairs = zip(curve.means, bar.means, bar.standard_errors, strict=True)
    return [step > 0 and mean >= theirs - error for step, (mean, theirs, error) in enumerate(pairs)]


def _cells(curve: Curve) -> list[str]:
    return [f"{m:.2f} ± {e:.2f}" for m, e in zip(curve.means, curve.standard_errors, strict=True)]


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join([*cells, *[""] * (4 - len(cells))]) + " |"


def main() -> None:
    """Print every row that has results, and how far MAML goes towards the oracle; draw the picture."""
    print(HEAD, *map(comparison, TASKS), sep="\n")
    print("", HEAD, *map(scores_row, TASKS), sep="\n")
    save_figure(adaptation_curves(), HERE / "adaptation.png")


if __name__ == "__main__":
    main()
