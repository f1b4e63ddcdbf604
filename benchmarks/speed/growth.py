"""How seconds and memory of an iteration grow with the tasks in a meta-batch.

python -m benchmarks.speed.growth TASKS [--rebuild]: the second iteration, in a process of its own
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.running import ROOT
from benchmarks.speed.measure import Row, seconds, take_turns
from benchmarks.speed.sampling import WORKERS, shipped
from maml_rl.training import Run, RunSettings, train

TASKS = (10, 20, 40, 80, 160)
EPISODES = 5
"""Per task: a quarter of the shipped ones, for the sake of time."""

Point = dict[str, float]


def growth(number: str, bar: float) -> tuple[list[Row], list[Point]]:
    """Return how far seconds and megabytes are from a line, and the points."""
    with ExitStack() as stack:
        sizes = [stack.enter_context(iterating(tasks)) for tasks in TASKS]
        times = take_turns(*sizes)
    points: list[Point] = []
    for tasks, column in zip(TASKS, times, strict=True):
        kept, rebuilt = (_in_a_process_of_its_own(tasks, rebuild) for rebuild in (False, True))
        rebuilding = {f"{key}_rebuilding": value for key, value in rebuilt.items()}
        points.append({"tasks": tasks} | kept | {"seconds": median(column)} | rebuilding)
    rows = []
    for letter, key in (("a", "seconds"), ("b", "megabytes")):
        farthest = _distance_from_line(TASKS, [point[key] for point in points])
        what = f"{key} per iteration, {TASKS[0]} to {TASKS[-1]} tasks: largest relative distance from a line"
        rows.append(Row(f"{number}{letter}", what, "ratio", (farthest,), bar, at_least=False))
    return rows, points


@contextmanager
def iterating(tasks: int, rebuild: bool = False) -> Iterator[Callable[[], object]]:
    """Yield a function that does the next iteration with so many tasks."""
    changes = {
        "meta_batch_size": tasks,
        "fast_batch_size": EPISODES,
        "num_batches": 100,
        "tasks_per_item": 5,
    }
    settings = RunSettings(seed=1, num_workers=WORKERS, rebuild_graphs=rebuild)
    with Run(shipped("maml/2d-navigation").model_copy(update=changes), settings) as run:
        iterations = train(run)
        yield lambda: next(iterations)


def _in_a_process_of_its_own(tasks: int, rebuild: bool) -> Point:
    """Measure there, because a process's peak memory is that of all that it did."""
    command = [sys.executable, "-m", "benchmarks.speed.growth", str(tasks), *(["--rebuild"] * rebuild)]
    answer = subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.PIPE).stdout
    point: Point = json.loads(answer)
    return point


def _peak_megabytes() -> float:
    """Return the most memory that this process held (Linux; ``ru_maxrss`` would count the parent's too)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def _distance_from_line(sizes: tuple[int, ...], values: list[float]) -> float:
    """Return the largest relative distance of ``values`` from the line that fits them best."""
    slope, intercept = np.polyfit(sizes, values, 1, w=1 / np.array(values))
    return float(np.max(np.abs(np.array(values) / (slope * np.array(sizes) + intercept) - 1)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", type=int)
    parser.add_argument("--rebuild", action="store_true")
    arguments = parser.parse_args()
    with iterating(arguments.tasks, arguments.rebuild) as iterate:
        iterate()
        print(json.dumps({"seconds": seconds(iterate), "megabytes": _peak_megabytes()}))


if __name__ == "__main__":
    main()
