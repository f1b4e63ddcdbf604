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
from typing import Any, NamedTuple

import numpy as np
import psutil
import torch

from maml_rl.config import Config
from maml_rl.envs import Task, make_task_vector_env
from maml_rl.envs.metaworld.tasks import Benchmark
from maml_rl.policies.actor import FeedForwardActor
from maml_rl.samplers.rollout import ActionNoise, rollout
from maml_rl.training.run import Run, RunSettings

RESULTS = Path(__file__).parent / "results" / "speed.csv"
NAMES = (
    *("reach-v3", "push-v3", "pick-place-v3", "door-open-v3", "drawer-close-v3"),
    *("button-press-topdown-v3", "peg-insert-side-v3", "window-open-v3", "sweep-v3", "basketball-v3"),
)
"""Those that ML10 trains on."""
STEPS, EPISODES, REPETITIONS = 500, 4, 3
BAR, MEMORY_BAR = 2.0, 1.5e9


class Cost(NamedTuple):
    """Microseconds of the processor, which others on the machine share less in than in the clock's."""

    processor: float
    clock: float


def task_of(name: str) -> Task:
    return Benchmark(f"ML1-{name}").draw(np.random.default_rng(0), 1, "train")[0]


def plain_loop(name: str) -> Callable[[], None]:
    """Return a loop over the package's environment with random actions: it has no policy to ask."""
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

    return loop


@contextmanager
def sampling() -> Iterator[Callable[[], None]]:
    """Yield the sampling of a work item: a task of each environment, each under a policy of its own.

    The policies have the published size, 2 x 512.
    """
    config = Config(env_name="MetaWorld/ML10", hidden_sizes=(512, 512), nonlinearity="tanh")
    with Run(config, RunSettings(seed=0)) as run:
        env, adaptation = run.copies.batch(len(NAMES) * EPISODES), run.learner.adaptation
        params = adaptation.start(run.learner.init().theta, len(NAMES)).clone()
        actor = FeedForwardActor(adaptation.policy, params)
        streams = [np.random.SeedSequence(number) for number in range(len(NAMES))]
        tasks = [task_of(name) for name in NAMES]

        def sample() -> None:
            env.reset_task(tasks)
            rollout(env, actor, ActionNoise(adaptation.policy, streams, EPISODES), [0] * 10)

        yield sample


def microseconds(work: Callable[[], None], steps: int) -> Cost:
    """Return what an environment's step takes."""
    processor, clock = time.process_time(), time.perf_counter()
    work()
    return Cost((time.process_time() - processor) * 1e6 / steps, (time.perf_counter() - clock) * 1e6 / steps)


def measure_sampling() -> Iterator[dict[str, Any]]:
    """Yield a row per repetition: the mean over the environments of both, and their ratio."""
    loops = {name: plain_loop(name) for name in NAMES}
    with sampling() as sample:
        sample()  # From here on, the tasks' first states are kept.
        for repetition in range(REPETITIONS):
            plain = {name: microseconds(loop, STEPS * EPISODES) for name, loop in loops.items()}
            ours = microseconds(sample, STEPS * EPISODES * len(NAMES))
            mean = Cost(*np.mean(list(plain.values()), axis=0))
            for what, cost in {**plain, "mean": mean, "sampling": ours}.items():
                yield {
                    "repetition": repetition,
                    "what": what,
                    "processor_us": cost.processor,
                    "clock_us": cost.clock,
                }
            yield {"repetition": repetition, "what": "ratio", "processor_us": mean.processor / ours.processor}


def memory_of_a_worker() -> float:
    """Return the bytes of a process of its own that has stepped a task of every train environment of ML45."""
    import metaworld

    tasks = [task_of(name) for name in metaworld.env_dict.ML45_V3["train"]]
    command = [sys.executable, "-c", f"from {__spec__.name} import hold_everything; hold_everything()"]
    done = subprocess.run(command, input=pickle.dumps(tasks), check=True, capture_output=True)
    return float(done.stdout)


def hold_everything() -> None:
    """Step the tasks that come in, and print the bytes that this process then has."""
    tasks = pickle.load(sys.stdin.buffer)
    env = make_task_vector_env("MetaWorld/ML45", {}, len(tasks))
    env.reset_task(tasks)
    env.reset(seed=0)
    env.step(np.zeros((len(tasks), 4), np.float32))
    print(psutil.Process().memory_info().rss)


def main() -> None:
    torch.set_num_threads(1)
    rows = []
    for row in measure_sampling():
        rows.append(row)
        print(*row.values(), flush=True)
    memory = memory_of_a_worker()
    rows.append({"what": "worker with ML45", "bytes": memory})
    ratio = float(np.median([row["processor_us"] for row in rows if row["what"] == "ratio"]))
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        columns = ["repetition", "what", "processor_us", "clock_us", "bytes"]
        writer = csv.DictWriter(file, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()} for row in rows
        )
    print(f"ratio {ratio:.2f}, at least {BAR}: {'yes' if ratio >= BAR else 'NO'}")
    print(
        f"memory {memory / 1e9:.2f} GB, below {MEMORY_BAR / 1e9} GB: {'yes' if memory < MEMORY_BAR else 'NO'}"
    )


if __name__ == "__main__":
    main()
