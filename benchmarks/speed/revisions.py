"""Comparison of two commits' speed and memory, their rows measured in turn on one machine.

    python -m benchmarks.speed.revisions v1 HEAD [NUMBER ...] [--rounds 3]

Writes ``benchmarks/results/revisions.csv``, where lines of rows that are not measured now stay. A row that
only one of the commits has is left out.
"""

import argparse
import csv
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.running import machine
from benchmarks.speed.report import RESULTS, place
from tests.same_bits import output, tree_of

NUMBERS = ("1", "2a", "2b", "3", "4a", "4b", "4c", "5", "6", "7", "8", "9", "10", "11", "12")
HEADER = ("number", "what", "before", "after", "cost", "smallest", "largest", "MB before", "MB after", "of")
TABLE = RESULTS / "revisions.csv"


class Measured(NamedTuple):
    """A row of one commit: its value, and the megabytes of the largest process that measured it."""

    what: str
    value: float
    more_is_better: bool
    megabytes: float


def measure(tree: Path, number: str) -> dict[str, Measured]:
    """Run a row's benchmark in a work tree; return its lines by number, none if there is no such row."""
    table = tree / "benchmarks" / "results" / "speed.csv"
    table.unlink(missing_ok=True)
    environment = os.environ | {"PYTHONPATH": str(tree)}
    command = [sys.executable, "-m", "benchmarks.speed", number]
    with subprocess.Popen(command, cwd=tree, env=environment, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        return {}
    with table.open(newline="", encoding="utf-8") as file:
        return {
            line["number"]: Measured(
                line["what"], float(line["median"]), line["bar"].startswith(">"), usage.ru_maxrss / 1024
            )
            for line in csv.DictReader(file)
        }


def compared(before: Sequence[Measured], after: Sequence[Measured]) -> Iterator[object]:
    """Yield a line's cells; a cost above 1 says that the new commit is worse."""
    pairs = list(zip(before, after, strict=True))
    costs = [b.value / a.value if b.more_is_better else a.value / b.value for b, a in pairs]
    yield before[0].what
    yield from (f"{median(m.value for m in side):.4g}" for side in (before, after))
    yield from (f"{cost:.3f}" for cost in (median(costs), min(costs), max(costs)))
    yield from (f"{median(m.megabytes for m in side):.0f}" for side in (before, after))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("before", metavar="REV", help="the reference")
    parser.add_argument("after", metavar="REV2")
    parser.add_argument(
        "numbers", nargs="*", metavar="NUMBER", help="rows of the table; all if none is named"
    )
    parser.add_argument("--rounds", type=int, default=3, help="measurements of each row")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="revisions-") as folder:
        here = Path(folder).resolve()
        with tree_of(options.before, here / "old") as old, tree_of(options.after, here / "new") as new:
            names = [output(tree, "git", "rev-parse", "--short", "HEAD").strip() for tree in (old, new)]
            origin = f"{' and '.join(names)}, {options.rounds} rounds; {machine()}"
            for line in measure_in_turn(old, new, options.numbers or NUMBERS, options.rounds):
                write([*line, origin])


def measure_in_turn(old: Path, new: Path, numbers: Sequence[str], rounds: int) -> Iterator[list[object]]:
    """Yield a line for each row that both work trees have."""
    for number in numbers:
        pairs = [(measure(old, number), measure(new, number)) for _ in range(rounds)]
        for row in pairs[0][0].keys() & pairs[0][1].keys():
            line = [row, *compared([b[row] for b, _ in pairs], [a[row] for _, a in pairs])]
            print(*line, sep=", ", flush=True)
            yield line


def write(line: list[object]) -> None:
    """Put a line into the table, in place of an earlier one of the same row."""
    lines = {}
    if TABLE.exists():
        with TABLE.open(newline="", encoding="utf-8") as file:
            lines = {known[0]: known for known in list(csv.reader(file))[1:]}
    lines[str(line[0])] = [str(cell) for cell in line]
    with TABLE.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *sorted(lines.values(), key=place)])


if __name__ == "__main__":
    main()
