"""Ours beside the published values, as Markdown: ``python -m benchmarks.paper.table`` for every row."""

import csv
from pathlib import Path

HERE = Path(__file__).parent
THEIRS = {
    "navigation": "2d-navigation",
    "cheetah-dir": "halfcheetah-dir",
    "cheetah-vel": "halfcheetah-vel",
    "ant-dir": "ant-dir",
    "ant-vel": "ant-vel",
}
"""The names of our tasks in the published table."""
OURS = {"maml": "policy", "random": "random"}
"""The names of the published methods in our tables."""


def published(task: str, method: str) -> list[tuple[float, float]]:
    """Return mean and standard error after 0, 1, … gradient steps, from the paper's own data files."""
    rows = _rows(HERE / "published.csv")
    chosen = [row for row in rows if (row["task"], row["method"]) == (THEIRS[task], method)]
    return [(float(row["mean_return"]), float(row["standard_error"])) for row in chosen]


def ours(results: Path, method: str) -> list[tuple[float, float]]:
    """Return the same of our own test."""
    rows = [row for row in _rows(results / "test.csv") if row["policy"] == OURS[method]]
    return [(float(row["mean_return"]), float(row["standard_error"])) for row in rows]


def comparison(task: str, results: Path) -> str:
    """Return Markdown rows: published and ours after 0 … 3 steps; a value within its bar is bold.

    The bar is the published mean minus one published standard error, after 1, 2 and 3 steps of MAML.
    """
    lines = []
    for method in OURS:
        theirs, mine = published(task, method), ours(results, method)
        lines.append(_row(f"{task}, {method}, published", [f"{m:.2f} ± {e:.2f}" for m, e in theirs]))
        cells = []
        for step, ((mean, error), (bar, slack)) in enumerate(zip(mine, theirs, strict=True)):
            cell = f"{mean:.2f} ± {error:.2f}"
            reached = method == "maml" and step > 0 and mean >= bar - slack
            cells.append(f"**{cell}**" if reached else cell)
        lines.append(_row(f"{task}, {method}, {results.name}", cells))
    return "\n".join(lines)


def _row(name: str, cells: list[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Print every row that has results."""
    print("| | 0 steps | 1 step | 2 steps | 3 steps |\n| --- | --- | --- | --- | --- |")
    for results in sorted(path.parent for path in HERE.glob("*/*/test.csv")):
        print(comparison(results.parent.name, results))


if __name__ == "__main__":
    main()
