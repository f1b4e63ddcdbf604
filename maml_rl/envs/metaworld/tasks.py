"""Meta-World's tasks as plain data, and the benchmarks that they are drawn from."""

import pickle
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.metaworld.names import COLLECTIONS, ENVIRONMENTS, ML1
from maml_rl.envs.metaworld.package import metaworld
from maml_rl.envs.task_env import Task
from maml_rl.envs.task_space import Split
from maml_rl.errors import UsageError, check_whole, did_you_mean, is_number, shown

SEEDS = 2**16
"""Benchmark seeds that there are to choose from."""
TEST_SEEDS = 2**20
"""What the seed of test tasks is greater by. ML1's test goals of one seed are its train goals of the next: so
far apart, no seed's test goals are train goals of another."""


class Place(NamedTuple):
    """A task in the package's terms.

    Args:
        env: name of the environment, such as ``reach-v3``.
        rand_vec: where things and the goal are, ``[3]`` or ``[6]``.
    """

    env: str
    rand_vec: NDArray[np.float64]

    @classmethod
    def of(cls, task: Task, where: str = "task") -> "Place":
        """Read a task.

        Args:
            where: it comes from, for messages.

        Raises:
            UsageError: it is none of Meta-World's.
        """
        if not isinstance(task, Mapping) or set(task) != {"env", "rand_vec"}:
            raise UsageError(
                f"{where}: expected {{env: reach-v3, rand_vec: [0, 0.6, 0.02, 0, 0.8, 0.2]}}, or the like, "
                f"got {shown(task)}"
            )
        env, numbers = task["env"], task["rand_vec"]
        if env not in ENVIRONMENTS:
            hint = did_you_mean(str(env), ENVIRONMENTS, "")
            raise UsageError(f"{where}: Meta-World has no environment '{env}'{hint}")
        values = np.asarray(numbers).tolist()
        if not isinstance(values, list) or not all(is_number(value) for value in values):
            raise UsageError(f"{where}: rand_vec: expected a list of numbers, got {shown(numbers)}")
        return cls(env, np.array(values, np.float64))

    @property
    def task(self) -> Task:
        """The task as plain data."""
        return {"env": self.env, "rand_vec": self.rand_vec}


class Benchmark:
    """The train and test tasks of a benchmark of Meta-World, for one seed.

    Args:
        name: ``ML1-reach-v3``, with any of `ENVIRONMENTS`, or one of `COLLECTIONS`.
        seed: of the goals, 50 of each environment in each set.

    Raises:
        UsageError: there is no such benchmark, or the seed is out of range.
    """

    def __init__(self, name: str, seed: int = 0):
        check_whole("tasks_seed", seed, 0, SEEDS - 1)
        kind, _, env = name.partition("-")
        if name not in COLLECTIONS and not (kind == ML1 and env in ENVIRONMENTS):
            raise UsageError(
                f"benchmark: expected ML1-reach-v3 or the like, or {', '.join(COLLECTIONS)}, got '{name}'"
            )
        self.name, self.seed = name, seed

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of the environments to train on."""
        kind, _, env = self.name.partition("-")
        return (env,) if kind == ML1 else tuple(getattr(metaworld().env_dict, f"{kind}_V3")["train"])

    def tasks(self, split: Split) -> tuple[Place, ...]:
        """Return all tasks of a set, in the package's order.

        The first call takes a while: the package makes every environment of the benchmark.

        Raises:
            UsageError: the package is not installed.
        """
        return _places(self.name, self.seed + (TEST_SEEDS if split == "test" else 0), split)

    def draw(self, rng: np.random.Generator, number: int, split: Split) -> list[Task]:
        """Draw tasks: of each environment as many, or one more, and no goal again before all are used up."""
        goals: dict[str, list[Place]] = {}
        for place in self.tasks(split):
            goals.setdefault(place.env, []).append(place)
        # Those of one environment stay side by side, where a work item takes them together.
        drawn = []
        for env, share in zip(goals, _shares(rng, number, len(goals)), strict=True):
            drawn += [goals[env][index] for index in _indices(rng, len(goals[env]), share)]
        return [place.task for place in drawn]


def _shares(rng: np.random.Generator, number: int, parts: int) -> Sequence[int]:
    """Return how many of ``number`` fall to each part: as many to each, and one more to some."""
    shares = np.full(parts, number // parts)
    shares[rng.choice(parts, number % parts, replace=False)] += 1
    return [int(share) for share in shares]


def _indices(rng: np.random.Generator, size: int, number: int) -> Iterator[int]:
    """Yield ``number`` indices below ``size``, each of them once before any comes again."""
    while number > 0:
        yield from rng.permutation(size)[:number].tolist()
        number -= size


@cache
def _places(name: str, seed: int, split: Split) -> tuple[Place, ...]:
    kind, _, env = name.partition("-")
    with _nothing_simulated():
        made = getattr(metaworld(), kind)(*([env] if env else []), seed=seed)
    return tuple(_place(task) for task in (made.train_tasks if split == "train" else made.test_tasks))


def _place(task: Any) -> Place:
    """Return a task of the package as plain data."""
    return Place(task.env_name, np.array(pickle.loads(task.data)["rand_vec"], np.float64))


@contextmanager
def _nothing_simulated() -> Iterator[None]:
    """Have resets of the package's environments leave out the physics, on which no random vector depends.

    They are nearly all of the time that a benchmark's constructor takes.
    """
    base = metaworld().sawyer_xyz_env.SawyerXYZEnv
    base.do_simulation = lambda env, *_: mujoco.mj_kinematics(env.model, env.data)
    try:
        yield
    finally:
        del base.do_simulation
