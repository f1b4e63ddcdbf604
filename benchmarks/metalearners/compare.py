"""Which method does best where? Compares all results that are kept beside this file.

    python -m benchmarks.metalearners.compare

It writes results/comparison.csv and results/comparison.png. The score of a run is its mean return over the 40
tasks of test.csv, or of test-paper-tasks.csv where the MAML paper has tasks. Intervals are over training
seeds; where a method has one seed there is none. A task that MAML-TRPO has no results of is left out, for the
other methods are compared with it.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maml_rl.config.methods import DEFAULT_METHOD
from maml_rl.evaluation.comparison import Comparison, write_comparison
from maml_rl.viz.comparison import draw_improvement, draw_returns, plot_comparisons
from maml_rl.viz.style import save_figure

RESULTS = Path(__file__).parent / "results"
TESTS = {"test.csv": "", "test-paper-tasks.csv": ", the paper's tasks"}
"""Files, and what each adds to the name of the task."""
TESTED = ("trained", "policy")
"""What the files call the policy that was trained."""
STEPS = 3
"""Gradient steps that are compared; a test may have taken more."""
Returns = NDArray[np.float64]


def mean_returns(file: Path) -> Returns:
    """Return the mean returns of the trained policy after 0, 1, 2, … steps, ``[gradient steps + 1]``."""
    with file.open(newline="", encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["policy"] in TESTED]
    if [int(row["gradient_steps"]) for row in rows][: STEPS + 1] != list(range(STEPS + 1)):
        raise SystemExit(f"{file}: expected rows of a trained policy after 0 to {STEPS} steps")
    return np.array([float(row["mean_return"]) for row in rows[: STEPS + 1]])


def kept_returns(name: str, test: str) -> list[Returns]:
    """Return the mean returns of each seed of an experiment that has the file ``test``."""
    folders = [folder for folder in (RESULTS / name).glob("seed-*") if folder.name[5:].isdecimal()]
    files = [folder / test for folder in sorted(folders, key=lambda folder: int(folder.name[5:]))]
    return [mean_returns(file) for file in files if file.exists()]


def kept_methods() -> dict[str, list[str]]:
    """Return the methods with results of each task, the default one first. Folders are called METHOD-TASK.

    A method's name may go on behind that of a registered one: maml-trpo-likelihood-ratio-corners.
    """
    names = sorted(folder.name for folder in RESULTS.iterdir() if folder.is_dir())
    start = f"{DEFAULT_METHOD}-"
    tasks = sorted((name.removeprefix(start) for name in names if name.startswith(start)), key=len)
    methods: dict[str, list[str]] = {}
    for name in names:
        if task := next((task for task in tasks if name.endswith(f"-{task}")), None):
            methods.setdefault(task, []).append(name.removesuffix(f"-{task}"))
    return {task: sorted(found, key=lambda x: (x != DEFAULT_METHOD, x)) for task, found in methods.items()}


def kept_comparisons() -> Iterator[Comparison]:
    """Yield a comparison for each family of tasks and test that several methods have results of."""
    for task, methods in kept_methods().items():
        for test, note in TESTS.items():
            kept = {method: kept_returns(f"{method}-{task}", test) for method in methods}
            returns = {method: np.stack(seeds)[:, :, None] for method, seeds in kept.items() if seeds}
            if DEFAULT_METHOD in returns and len(returns) > 1:
                yield Comparison(f"{task}{note}", returns)


def main() -> None:
    """Write the table and the picture."""
    comparisons = list(kept_comparisons())
    rows = [row for comparison in comparisons for row in comparison.rows(DEFAULT_METHOD)]
    write_comparison(RESULTS / "comparison.csv", rows)
    panels = (draw_returns, draw_improvement)
    save_figure(plot_comparisons(comparisons, DEFAULT_METHOD, panels=panels), RESULTS / "comparison.png")
    for comparison in comparisons:
        seeds = {method: len(returns) for method, returns in comparison.returns.items()}
        print(f"{comparison.task}: {', '.join(f'{method} {n}' for method, n in seeds.items())} seeds")


if __name__ == "__main__":
    main()
