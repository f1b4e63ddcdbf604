"""The published values and ours, as they lie beside this file."""

import csv
from pathlib import Path
from typing import NamedTuple

from benchmarks.paper.methods import HERE, TASKS


class Curve(NamedTuple):
    """Returns after 0, 1, … gradient steps, over tasks."""

    means: tuple[float, ...]
    standard_errors: tuple[float, ...]


def published(task: str, method: str) -> Curve:
    """Return the paper's, from its own data files."""
    rows = _rows(HERE / "published.csv")
    return _curve([row for row in rows if (row["task"], row["method"]) == (TASKS[task].published, method)])


def ours(task: str, method: str) -> dict[int, Curve]:
    """Return our own by training seed: of the seeds that are there."""
    tables = {
        int(path.parent.name.rpartition("-")[2]): _rows(path)
        for path in HERE.glob(f"{task}/{method}-*/test.csv")
    }
    # The policy that was tested comes first; others may have been compared with it.
    return {
        seed: _curve([row for row in rows if row["policy"] == rows[0]["policy"]])
        for seed, rows in sorted(tables.items())
    }


def trained_row(task: str, name: str) -> Path:
    """Return the folder of a row with a trained policy.

    Raises:
        SystemExit: there is none.
    """
    row = HERE / task / name
    if not (row / "policy.th").exists():
        there = sorted(path.parent.name for path in (HERE / task).glob("*/policy.th"))
        raise SystemExit(f"no trained policy in '{row}'; there are: {', '.join(there) or 'none'}")
    return row


def _curve(rows: list[dict[str, str]]) -> Curve:
    return Curve(
        tuple(float(row["mean_return"]) for row in rows),
        tuple(float(row["standard_error"]) for row in rows),
    )


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))
