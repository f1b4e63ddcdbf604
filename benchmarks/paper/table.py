"""Ours beside the published values, as Markdown, and drawn: ``python -m benchmarks.paper.table``."""

from collections.abc import Sequence
from statistics import mean, stdev

from benchmarks.paper.methods import HERE, METHODS, TASKS
from benchmarks.paper.picture import adaptation_curves
from benchmarks.paper.results import Curve, ours, published
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
    """Return the mean of the curves' means, and its standard error over the curves: two or more."""
    means = list(zip(*(curve.means for curve in curves), strict=True))
    errors = (stdev(values) / len(values) ** 0.5 for values in means)
    return Curve(tuple(map(mean, means)), tuple(errors))


def passed(curve: Curve, bar: Curve) -> list[bool]:
    """Return which means are at least the published one minus its standard error; the first never counts."""
    pairs = zip(curve.means, bar.means, bar.standard_errors, strict=True)
    return [step > 0 and mean >= theirs - error for step, (mean, theirs, error) in enumerate(pairs)]


def _cells(curve: Curve) -> list[str]:
    return [f"{m:.2f} ± {e:.2f}" for m, e in zip(curve.means, curve.standard_errors, strict=True)]


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join([*cells, *[""] * (4 - len(cells))]) + " |"


def main() -> None:
    """Print every row that has results, and draw the picture."""
    print(HEAD)
    for task in TASKS:
        if any(ours(task, method) for method in METHODS):
            print(comparison(task))
    save_figure(adaptation_curves(), HERE / "adaptation.png")


if __name__ == "__main__":
    main()
