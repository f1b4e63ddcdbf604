"""Whole meta-iterations: against their parts, and from a cold start."""

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from importlib.util import find_spec
from statistics import median

import numpy as np

from benchmarks.running import ROOT
from benchmarks.speed.measure import REPETITIONS, Row, take_turns
from benchmarks.speed.physics import OpenLoop
from benchmarks.speed.sampling import WORKERS, Sampling, shipped
from benchmarks.speed.updating import meta_update
from maml_rl.samplers.backends.ray_cluster import RayCluster
from maml_rl.training import Run, RunSettings, train


def against_parts(number: str, bar: float) -> Row:
    """Compare an iteration with its steps at the open-loop rate plus its meta-update."""
    config = shipped("maml/halfcheetah-vel").model_copy(update={"num_batches": 100})
    with Run(config, RunSettings(seed=1, num_workers=WORKERS)) as run:
        sample = Sampling(run)
        rounds = sample.episodes()
        open_loop, update = OpenLoop(config, sample.tasks, rounds, WORKERS), meta_update(run.learner, rounds)
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


def ray_over_processes(number: str, bar: float) -> list[Row]:
    """Compare iterations of the same run on Ray actors and in worker processes, in turn."""
    if find_spec("ray") is None:
        print(f"{number}: left out, for Ray is not installed: pip install 'maml-rl[ray]'", flush=True)
        return []
    config = shipped("maml/halfcheetah-vel").model_copy(update={"num_batches": 100})
    settings = RunSettings(seed=1, num_workers=WORKERS)
    with Run(config, settings) as here, Run(config, replace(settings, ray=RayCluster())) as there:
        by_processes, by_actors = train(here), train(there)
        actors, processes = take_turns(lambda: next(by_actors), lambda: next(by_processes))
    ratios = tuple(a / p for a, p in zip(actors, processes, strict=True))
    what = "HalfCheetahVel-v2: iteration with Ray actors over one with worker processes, seconds"
    detail = f"{median(actors):.2f} and {median(processes):.2f} s"
    return [Row(number, what, "ratio", ratios, bar, at_least=False, detail=detail)]


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
