"""Whole meta-iterations: against their parts, with more and more tasks, and from a cold start."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.speed.measure import REPETITIONS, Row, take_turns
from benchmarks.speed.physics import OpenLoop
from benchmarks.speed.sampling import WORKERS, Sampling, shipped
from benchmarks.speed.updating import meta_update
from maml_rl.training import Run, RunSettings, train

ROOT = Path(__file__).parents[2]
TASKS = (10, 20, 40, 80, 160)


def against_parts(number: str, bar: float) -> Row:
    """Compare an iteration with its steps at the open-loop rate plus its meta-update."""
    config = shipped("halfcheetah-vel").model_copy(update={"num_batches": 100})
    open_loop = OpenLoop(config, WORKERS)
    with Run(config, RunSettings(seed=1, num_workers=WORKERS)) as run:
        update = meta_update(run.policy, config, *Sampling(run).episodes())
        iterations = train(run)
        env_steps: list[int] = []
        whole, physics, updating = take_turns(
            lambda: env_steps.append(int(next(iterations).metrics["env_steps"])), open_loop, update
        )
    steps = np.diff(env_steps)
    floors = [n * t / open_loop.env_steps + u for n, t, u in zip(steps, physics, updating, strict=True)]
    return Row(
        number,
        "HalfCheetahVel-v2: iteration over (steps at the open-loop rate + meta-update), seconds",
        "ratio",
        tuple(t / floor for t, floor in zip(whole, floors, strict=True)),
        bar,
        at_least=False,
        detail=f"{median(whole):.2f} of {median(floors):.2f} s",
    )


def growth(number: str, bar: float) -> tuple[list[Row], list[dict[str, float]]]:
    """Measure iterations of more and more tasks, each in a process of its own for the sake of its memory."""
    points = []
    for tasks in TASKS:
        point: dict[str, float] = {"tasks": tasks}
        for rebuild in (False, True):
            command = [
                sys.executable,
                "-m",
                "benchmarks.speed.growth",
                str(tasks),
                *(["--rebuild"] * rebuild),
            ]
            answer = json.loads(subprocess.run(command, check=True, cwd=ROOT, capture_output=True).stdout)
            point |= {f"{key}{'_rebuilding' if rebuild else ''}": value for key, value in answer.items()}
        points.append(point)
    sizes = [point["tasks"] for point in points]
    rows = []
    for letter, key in (("a", "seconds"), ("b", "megabytes")):
        farthest = _distance_from_line(sizes, [point[key] for point in points])
        what = f"{key} per iteration, {TASKS[0]} to {TASKS[-1]} tasks: largest relative distance from a line"
        rows.append(Row(f"{number}{letter}", what, "ratio", (farthest,), bar, at_least=False))
    return rows, points


def _distance_from_line(sizes: list[float], values: list[float]) -> float:
    """Return the largest relative distance of ``values`` from the line that fits them best."""
    slope, intercept = np.polyfit(sizes, values, 1, w=1 / np.array(values))
    return float(np.max(np.abs(np.array(values) / (slope * np.array(sizes) + intercept) - 1)))


def help_time(number: str, bar: float) -> Row:
    (times,) = take_turns(lambda: _maml_rl("--help"))
    return Row(number, "maml-rl --help", "s", tuple(times), bar, at_least=False)


def first_iteration(number: str, bar: float) -> Row:
    """From the command to the end of the first meta-iteration, 2D navigation."""
    times = [_until_first_row() for _ in range(REPETITIONS + 1)][1:]
    return Row(
        number,
        "maml-rl train to the first iteration's end, 2DNavigation-v0",
        "s",
        tuple(times),
        bar,
        at_least=False,
    )


def _maml_rl(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "maml_rl", *arguments], check=True, cwd=ROOT, capture_output=True)


def _until_first_row() -> float:
    with tempfile.TemporaryDirectory() as folder:
        command = [
            *(sys.executable, "-m", "maml_rl", "train", "--config", "configs/maml/2d-navigation.yaml"),
            *("--output-folder", folder, "--seed", "1", "--num-workers", str(WORKERS)),
        ]
        started = time.perf_counter()
        with subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            elapsed = time.perf_counter() - started
            process.terminate()
    return elapsed
