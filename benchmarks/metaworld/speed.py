"""Sampling of Meta-World against a plain loop over the package's environments, and a worker's memory.

``python -m benchmarks.metaworld.speed`` measures both and writes ``benchmarks/metaworld/results/speed.csv``.
"""

import csv
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from maml_rl.config import Config
from maml_rl.envs import Task, make_task_vector_env
from maml_rl.envs.metaworld.tasks import Benchmark
from maml_rl.samplers.rollout import ActionNoise, rollout
from maml_rl.training.run import Run, RunSettings

RESULTS = Path(__file__).parent / "results" / "speed.csv"
NAMES = (
    *("reach-v3", "push-v3", "pick-place-v3", "door-open-v3", "drawer-close-v3"),
    *("button-press-topdown-v3", "peg-insert-side-v3", "window-open-v3", "sweep-v3", "basketball-v3"),
)
"""Those that ML10 trains on."""
STEPS, EPISODES, REPETITIONS = 500, 10, 3
BAR, MEMORY_BAR = 2.0, 1.5e9


def task_of(name: str) -> Task:
    return Benchmark(f"ML1-{name}").draw(np.random.default_rng(0), 1, "train")[0]


@contextmanager
def plain_loop(name: str) -> Iterator[Callable[[], None]]:
    """Yield a loop over the package's environment with random actions: it has no policy to ask."""
    import metaworld

    env_class = metaworld.env_dict.ALL_V3_ENVIRONMENTS[name]
    env: Any = env_class()
    data = {"rand_vec": task_of(name)["rand_vec"], "env_cls": env_class, "partially_observable": True}
    env.set_task(metaworld.Task(name, pickle.dumps(data)))
    actions = np.random.default_rng(1).uniform(-1, 1, (STEPS, 4)).astype(np.float32)

    def loop() -> None:
        for _ in range(EPISODES):
            env.reset()
            for action in actions:
                env.step(action)

    yield loop
    env.close()


@contextmanager
def sampling(name: str) -> Iterator[Callable[[], None]]:
    """Yield the sampling of as many episodes under a policy of the published size, as a worker does it."""
    config = Config(env_name=f"MetaWorld/ML1-{name}", hidden_sizes=(512, 512), nonlinearity="tanh")
    with Run(config, RunSettings(seed=0)) as run:
        env, adaptation = run.copies.batch(EPISODES), run.learner.adaptation
        params = adaptation.start(run.learner.init().theta, 1)
        noise = ActionNoise(adaptation.policy, [np.random.SeedSequence(0)], EPISODES)

        def sample() -> None:
            env.reset_task([task_of(name)])
            rollout(env, adaptation.policy, params, noise, [0])

        yield sample


def microseconds(work: Callable[[], None]) -> tuple[float, float]:
    """Return what an environment's step takes, of the processor's time and of the clock's."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    steps = STEPS * EPISODES / 1e6
    return (time.process_time() - processor) / steps, (time.perf_counter() - clock) / steps


def compare(name: str) -> dict[str, Any]:
    """Measure both in turn; return the medians."""
    with plain_loop(name) as plain, sampling(name) as ours:
        ours()  # From here on, the task's first state is kept.
        pairs = [(microseconds(plain), microseconds(ours)) for _ in range(REPETITIONS)]
    medians = np.median(np.array(pairs), axis=0)
    ratio = np.median([theirs[0] / own[0] for theirs, own in pairs])
    row = {"environment": name, "plain_processor_us": medians[0, 0], "ours_processor_us": medians[1, 0]}
    row |= {"plain_clock_us": medians[0, 1], "ours_clock_us": medians[1, 1], "ratio": ratio}
    print(f"{name}: {ratio:.2f} times ({medians[0, 0]:.0f} over {medians[1, 0]:.0f} µs a step)", flush=True)
    return row


def memory_of_a_worker() -> float:
    """Return the bytes of a process of its own that has stepped a task of every train environment of ML45."""
    command = [sys.executable, "-c", f"from {__spec__.name} import hold_everything; hold_everything()"]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def hold_everything() -> None:
    """Step every train environment of ML45 in this process, and print the bytes that it then has."""
    import metaworld

    tasks = [task_of(name) for name in metaworld.env_dict.ML45_V3["train"]]
    env = make_task_vector_env("MetaWorld/ML45", {}, len(tasks))
    env.reset_task(tasks)
    env.reset(seed=0)
    env.step(np.zeros((len(tasks), 4), np.float32))
    print(psutil.Process().memory_info().rss)


def main() -> None:
    torch.set_num_threads(1)
    rows = [compare(name) for name in NAMES]
    ratio = float(np.mean([row["ratio"] for row in rows]))
    rows.append({"environment": "mean of the ratios", "ratio": ratio})
    memory = memory_of_a_worker()
    rows.append({"environment": "ML45 in a worker", "bytes": memory})
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [*rows[0], "bytes"], lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
        )
    print(f"mean of the ratios {ratio:.2f}, at least {BAR}: {'yes' if ratio >= BAR else 'NO'}")
    print(
        f"memory {memory / 1e9:.2f} GB, below {MEMORY_BAR / 1e9} GB: {'yes' if memory < MEMORY_BAR else 'NO'}"
    )


if __name__ == "__main__":
    main()
