"""The table, as text, CSV and picture."""

import csv
from collections.abc import Sequence
from pathlib import Path
from string import ascii_lowercase

import matplotlib.pyplot as plt
from rich.console import Console
from rich.table import Table

from benchmarks.running import machine
from benchmarks.speed.growth import EPISODES
from benchmarks.speed.measure import Row

RESULTS = Path(__file__).parents[1] / "results"

HEADER = ("number", "what", "unit", "median", "smallest", "largest", "bar", "passed", "detail")


def show(rows: Sequence[Row]) -> None:
    table = Table(title="speed: medians")
    for column in ("#", "what", "median", "bar", "", "detail"):
        table.add_column(column, justify="right" if column in ("median", "bar") else "left")
    for row in rows:
        sign = "≥" if row.at_least else "≤"
        mark = "pass" if row.passed else "short"
        table.add_row(row.number, row.what, f"{row.value:,.3g}", f"{sign} {row.bar:,.3g}", mark, row.detail)
    Console(width=160).print(table)


def write(rows: Sequence[Row], growth: Sequence[dict[str, float]]) -> None:
    """Write what was measured; rows of an earlier run that were not measured now stay."""
    RESULTS.mkdir(exist_ok=True)
    table = RESULTS / "speed.csv"
    lines: dict[str, list[str]] = {}
    if table.exists():
        with table.open(newline="", encoding="utf-8") as file:
            lines = {line[0]: line for line in list(csv.reader(file))[1:]}
    lines |= {row.number: _line(row) for row in rows}
    ordered = sorted(lines.values(), key=place)
    with table.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(ordered)
    if growth:
        with (RESULTS / "growth.csv").open("w", newline="", encoding="utf-8") as file:
            points = csv.DictWriter(file, list(growth[0]))
            points.writeheader()
            points.writerows({key: f"{value:.4g}" for key, value in point.items()} for point in growth)
        _draw_growth(growth)
    (RESULTS / "machine.txt").write_text(machine() + "\n", encoding="utf-8")


def place(line: Sequence[str]) -> tuple[int, str]:
    """Return what sorts 2a before 10."""
    return int(line[0].rstrip(ascii_lowercase)), line[0]


def _line(row: Row) -> list[str]:
    numbers = [f"{x:.4g}" for x in (row.value, min(row.values), max(row.values))]
    bar = f"{'>=' if row.at_least else '<='} {row.bar:g}"
    return [row.number, row.what, row.unit, *numbers, bar, str(row.passed), row.detail]


def _draw_growth(points: Sequence[dict[str, float]]) -> None:
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    tasks = [point["tasks"] for point in points]
    for axis, key, label in zip(
        axes,
        ("seconds", "megabytes"),
        ("seconds per iteration", "peak memory of the learner, MB"),
        strict=True,
    ):
        axis.plot(tasks, [point[key] for point in points], "o-", label="graphs kept")
        axis.plot(tasks, [point[f"{key}_rebuilding"] for point in points], "s--", label="graphs rebuilt")
        axis.set(xlabel="tasks in a meta-batch", ylabel=label, xlim=0, ylim=0)
        axis.grid(alpha=0.3)
        axis.legend()
    figure.suptitle(f"2DNavigation-v0, {EPISODES} episodes × 100 steps per task and phase")
    figure.savefig(RESULTS / "growth.png", dpi=120)
    plt.close(figure)
