"""Seconds and memory of a meta-update of the published size: 20 tasks, 10 episodes of 500 steps, 2 x 512.

``python -m benchmarks.metaworld.updating [--jax PYTHON]`` measures each way in a process of its own, and
writes ``benchmarks/metaworld/results/updating.csv``. With ``--jax`` the JAX baseline's is measured, too.
"""

import argparse
import csv
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.running import machine
from maml_rl._system.memory import hand_back_free_memory, keep_freed_memory
from maml_rl.config import Config
from maml_rl.samplers import Recipe
from maml_rl.training import Run, RunSettings

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "updating.csv"
REPETITIONS = 3
WAYS = {
    "kept": (False, 1.0),
    "kept, a quarter": (False, 0.25),
    "rebuilt": (True, 1.0),
    "rebuilt, a quarter": (True, 0.25),
}
"""Whether linearised chunks are made anew for each question, and the part of the steps in Fisher products."""


def config(fraction: float) -> Config:
    """Return the config with the JAX baseline's sizes for ML10."""
    return Config(
        env_name="MetaWorld/ML10",
        hidden_sizes=(512, 512),
        nonlinearity="tanh",
        fast_lr=0.1,
        max_kl=0.01,
        gamma=0.99,
        fast_batch_size=10,
        meta_batch_size=20,
        fisher_fraction=fraction,
    )


def measure(way: str) -> None:
    """Print the seconds of each update, and the gibibytes that this process has had at most."""
    keep_freed_memory()  # As `maml-rl train` does; and hands it back after each update.
    rebuild, fraction = WAYS[way]
    settings = RunSettings(seed=1, num_workers=2, rebuild_graphs=rebuild)
    with Run(config(fraction), settings) as run:
        state = run.init()
        tasks = run.sampler.sample_tasks(20, 0)
        rounds = run.sampler.sample_async(tasks, state.theta, Recipe.of(run.config), 0)
        run.sampler.sample_wait(rounds)
        for _ in range(REPETITIONS):
            started = time.perf_counter()
            run.update(state, rounds)
            print(time.perf_counter() - started, flush=True)
            hand_back_free_memory()
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def commands(jax: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each way and the command that measures it.

    Args:
        jax: the interpreter of an environment in which the JAX baseline is installed, or nothing.
    """
    if jax:
        yield "the JAX baseline", [jax, "-I", str(HERE / "jax_baseline.py"), str(REPETITIONS)]
    for way in WAYS:
        yield way, [sys.executable, "-c", f"from {__spec__.name} import measure; measure({way!r})"]


def main() -> None:
    """Measure all ways, one after another; what is measured is written at once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--jax", default="", metavar="PYTHON", help="interpreter that has the JAX baseline")
    jax = parser.parse_args().jax
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.with_suffix(".txt").write_text(machine() + "\n", encoding="utf-8")
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["way", "repetition", "seconds", "peak_gib"])
        for way, command in commands(jax):
            done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            *seconds, peak = map(float, done.stdout.split())
            for repetition, taken in enumerate(seconds):
                row = (way, repetition, f"{taken:.1f}", f"{peak:.2f}")
                writer.writerow(row)
                print(*row, flush=True)
            file.flush()


if __name__ == "__main__":
    main()
