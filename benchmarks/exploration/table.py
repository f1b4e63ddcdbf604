"""The results as a Markdown table: ``python -m benchmarks.exploration.table``."""

import csv

from benchmarks.exploration.settings import HERE, SETTINGS

COLUMNS = (
    "random",
    "Thompson sampling",
    "PSRL",
    "greedy",
    "UCB1",
    "Gittins",
    "optimum",
    "RL²",
    "MAML",
    "gradient steps",
    "n before",
    "n after",
)


def row(name: str) -> dict[str, str]:
    """Return the cells of one setting, by column."""
    with (HERE / "results" / name / "totals.csv").open(newline="", encoding="utf-8") as file:
        totals = list(csv.DictReader(file))
    cells = {entry["strategy"]: entry["mean_total"] for entry in totals}
    errors = {entry["strategy"]: entry["standard_error"] for entry in totals if entry["standard_error"]}
    cells |= {strategy: f"{cells[strategy]} ± {error}" for strategy, error in errors.items()}
    (counted,) = (strategy for strategy in cells if " steps of " in strategy)
    steps = counted.removeprefix("MAML, ").replace("steps of", "of")
    before, after = cells["MAML, n episodes before a step"], cells["MAML, n more after it"]
    return cells | {"MAML": cells[counted], "gradient steps": steps, "n before": before, "n after": after}


def main() -> None:
    """Print the settings that have results."""
    print("| | " + " | ".join(COLUMNS) + " |\n" + "| --- " * (len(COLUMNS) + 1) + "|")
    for name in SETTINGS:
        if (HERE / "results" / name / "totals.csv").exists():
            cells = row(name)
            print(f"| {name} | " + " | ".join(cells.get(column, "–") for column in COLUMNS) + " |")


if __name__ == "__main__":
    main()
