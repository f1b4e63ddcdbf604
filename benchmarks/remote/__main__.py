"""From how many tasks on does it pay to leave episodes with the workers?

    python -m benchmarks.remote

Measures updates of half-cheetah velocity with two Ray actors, and writes results/measured.csv: the bytes that
travel in an iteration, the seconds of an iteration with either learner, of an item's update on one core, and
of an array's way from an actor. results/projected.csv is what follows of them for many nodes.
"""

import csv
import pickle
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from benchmarks.running import machine
from benchmarks.speed.sampling import shipped
from maml_rl._system.threads import one_intra_op_thread
from maml_rl.adaptation import Adaptation
from maml_rl.config import Config, LearnerName
from maml_rl.samplers import Recipe
from maml_rl.samplers.backends.in_process import InProcessBackend
from maml_rl.samplers.backends.ray_cluster import RayCluster
from maml_rl.samplers.jobs import Job
from maml_rl.samplers.plan import Question, Sample
from maml_rl.stacked import StackedEpisodes
from maml_rl.training import Run, RunSettings

RESULTS = Path(__file__).parent / "results"
WORKERS, REPETITIONS = 2, 5
SIZES = (0, 200_000)
"""Numbers of each task whose way is timed."""
FEW, MANY = 2, 16
"""Cores of a learner's machine: as here, and of a larger one, if it were as much faster."""
TASKS = (40, 100, 200, 500, 1000, 2000)
CORE = "seconds of a core for an item's update"
LEARNERS: tuple[LearnerName, ...] = ("local", "remote")


class Measurement(NamedTuple):
    what: str
    learner: str
    value: float


class Traffic:
    """Counts what a backend in this process would send to workers and have back.

    Args:
        run: whose backend it stands before.
    """

    def __init__(self, run: Run):
        self.episodes = self.answers = self.questions = 0
        """Bytes of episodes and of answers that come back; questions, each to one item."""
        self._arrays: dict[int, np.ndarray[Any, Any]] = {}
        backend = run.sampler._backend
        assert isinstance(backend, InProcessBackend)
        self._worker = backend._worker
        run.sampler._backend = self

    @property
    def restarts(self) -> int:
        return 0

    @property
    def to_each_node(self) -> int:
        """Bytes of arrays that many pieces of work share."""
        return sum(array.nbytes for array in self._arrays.values())

    def submit(self, job: Job) -> None:
        self._arrays |= {id(array): array for array in job.work.arrays}  # Kept, so that no id comes twice.
        self.questions += isinstance(job.work, Question)
        with one_intra_op_thread():
            for answer in self._worker.do(job.work):
                size = len(pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))
                if isinstance(answer, Sample):
                    self.episodes += size
                else:
                    self.answers += size
                job.deliver(answer)

    def close(self) -> None:
        self._worker.close()


class Carried:
    """Tasks that answer with as many numbers each as they are asked for, at no cost."""

    def __init__(self, adaptation: Adaptation, theta: Tensor, batches: Sequence[StackedEpisodes]):
        self._tasks = len(batches[-1].weights)

    def carry(self, size: int) -> Tensor:
        return torch.zeros(self._tasks * size)


def items_of(config: Config) -> float:
    return config.meta_batch_size / config.tasks_per_item


def sampled(run: Run, iteration: int = 0) -> tuple[Any, Any]:
    """Return a state, and the rounds' episodes of an iteration once they are sampled."""
    state, config = run.init(), run.config
    tasks = run.sampler.sample_tasks(config.meta_batch_size, iteration)
    rounds = run.sampler.sample_async(tasks, state.theta, Recipe.of(config), iteration)
    run.sampler.sample_wait(rounds)
    return state, rounds


def traffic(config: Config) -> Iterator[Measurement]:
    """Yield the bytes of an iteration."""
    for learner in LEARNERS:
        with Run(config, RunSettings(seed=1, learner=learner)) as run:
            counted = Traffic(run)
            run.update(*sampled(run))
            yield Measurement("bytes of episodes", learner, counted.episodes)
            yield Measurement("bytes of answers", learner, counted.answers)
            yield Measurement("bytes to each node", learner, counted.to_each_node)
            yield Measurement("questions to an item", learner, counted.questions / items_of(config))


def seconds_of_a_core(config: Config) -> Iterator[Measurement]:
    """Yield what the update of an item takes a core."""
    with Run(config, RunSettings(seed=1, learner="remote")) as run:
        for iteration in range(REPETITIONS):
            state, rounds = sampled(run, iteration)
            started = time.process_time()
            run.update(state, rounds)
            yield Measurement(CORE, "both", (time.process_time() - started) / items_of(config))


def iterations(config: Config) -> Iterator[Measurement]:
    """Yield the seconds of sampling and update with either learner, in turn on one cluster."""
    with RayCluster().connected(2 * WORKERS):
        settings = [RunSettings(1, WORKERS, ray=RayCluster(), learner=learner) for learner in LEARNERS]
        with Run(config, settings[0]) as local, Run(config, settings[1]) as remote:
            for iteration in range(REPETITIONS + 1):
                for learner, run in zip(LEARNERS, (local, remote), strict=True):
                    started = time.perf_counter()
                    state, rounds = sampled(run, iteration)
                    middle = time.perf_counter()
                    run.update(state, rounds)
                    ended = time.perf_counter()
                    if iteration:  # The first one starts the actors.
                        yield Measurement("seconds of sampling", learner, middle - started)
                        yield Measurement("seconds of the update", learner, ended - middle)
            yield from carrying(remote)


def carrying(run: Run) -> Iterator[Measurement]:
    """Yield the seconds that an item takes to answer with an array of some size."""
    state, rounds = sampled(run, REPETITIONS + 1)
    with run.learner.tasks(Carried, state.theta, rounds) as tasks:
        for size in SIZES:
            for _ in range(REPETITIONS):
                started = time.perf_counter()
                tasks.ask("carry", size)
                seconds = time.perf_counter() - started
                yield Measurement(carried(run.config, size), "remote", seconds / items_of(run.config))


def carried(config: Config, size: int) -> str:
    return f"seconds of an item's answer of {4 * size * config.tasks_per_item} bytes"


def projected(measured: Sequence[Measurement], config: Config) -> Iterator[dict[str, float]]:
    """Yield the seconds from the last episode to the new theta, for more and more tasks.

    Each item has a node. What comes to the learner comes one after another, as fast as it did here.
    """

    def of(what: str, learner: str) -> float:
        return median(row.value for row in measured if (row.what, row.learner) == (what, learner))

    fixed, large = (of(carried(config, size), "remote") for size in SIZES)
    a_byte = (large - fixed) / (4 * SIZES[1] * config.tasks_per_item)
    core, items_here = of(CORE, "both"), items_of(config)
    coming = {
        learner: (of("bytes of episodes", learner) + of("bytes of answers", learner)) / items_here
        for learner in LEARNERS
    }
    questions = of("questions to an item", "remote")
    for tasks in TASKS:
        items = tasks / config.tasks_per_item
        local = items * coming["local"] * a_byte
        yield {
            "tasks": tasks,
            "nodes": items,
            f"local, {FEW} cores": local + items * core / FEW,
            f"local, {MANY} cores": local + items * core / MANY,
            "remote": items * (coming["remote"] * a_byte + questions * fixed) + core,
        }


def main() -> None:
    """Measure, project, and write both tables."""
    config = shipped("maml/halfcheetah-vel")
    measured: list[Measurement] = []
    for part in (traffic, seconds_of_a_core, iterations):
        for row in part(config):
            print(*row, flush=True)
            measured.append(row)
    RESULTS.mkdir(exist_ok=True)
    write("measured.csv", [row._asdict() for row in measured])
    write("projected.csv", list(projected(measured, config)))
    (RESULTS / "machine.txt").write_text(machine() + "\n", encoding="utf-8")


def write(name: str, rows: Sequence[dict[str, Any]]) -> None:
    """Write a table, numbers with four digits."""
    with (RESULTS / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        for row in rows:
            shown = {key: f"{x:.4g}" if isinstance(x, float) else x for key, x in row.items()}
            print(*shown.values())
            writer.writerow(shown)


if __name__ == "__main__":
    main()
