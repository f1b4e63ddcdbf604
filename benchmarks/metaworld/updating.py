"""Seconds and memory of a meta-update of the published size: 20 tasks, 10 episodes of 500 steps, 2 x 512.

``python -m benchmarks.metaworld.updating`` measures each way in a process of its own, and writes
``benchmarks/metaworld/results/updating.csv``.
"""

import csv
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.running import machine
from maml_rl.config import Config
from maml_rl.samplers import Recipe
from maml_rl.training import Run, RunSettings

RESULTS = Path(__file__).parent / "results" / "updating.csv"
REPETITIONS = 2
WAYS = {
    "kept": (False, 1.0),
    "rebuilt": (True, 1.0),
    "kept, a quarter": (False, 0.25),
    "rebuilt, a quarter": (True, 0.25),
}
"""Whether linearised chunks are made anew for each question, and the part of episodes in Fisher products."""


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
    rebuild, fraction = WAYS[way]
    settings = RunSettings(seed=1, num_workers=2, rebuild_graphs=rebuild)
    with Run(config(fraction), settings) as run:
        state = run.init()
        for iteration in range(REPETITIONS):
            tasks = run.sampler.sample_tasks(20, iteration)
            rounds = run.sampler.sample_async(tasks, state.theta, Recipe.of(run.config), iteration)
            run.sampler.sample_wait(rounds)
            started = time.perf_counter()
            state = run.update(state, rounds).state
            print(time.perf_counter() - started, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


def main() -> None:
    """Measure all ways, one after another."""
    rows = []
    for way in WAYS:
        command = [sys.executable, "-c", f"from {__spec__.name} import measure; measure({way!r})"]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        *seconds, peak = map(float, done.stdout.split())
        for repetition, taken in enumerate(seconds):
            rows.append(
                {"way": way, "repetition": repetition, "seconds": f"{taken:.1f}", "peak_gib": f"{peak:.2f}"}
            )
            print(*rows[-1].values(), flush=True)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    RESULTS.with_suffix(".txt").write_text(machine() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
