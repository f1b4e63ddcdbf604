"""Tasks and their splits against the package's benchmarks."""

import itertools
import pickle
from typing import Any

import numpy as np
import pytest

from maml_rl.envs import make_env
from maml_rl.envs.contract import draw_tasks
from maml_rl.envs.copies import EnvCopies
from maml_rl.envs.metaworld.names import COLLECTIONS, ENVIRONMENTS
from maml_rl.envs.metaworld.tasks import SEEDS, TEST_SEEDS, Benchmark, Place
from maml_rl.envs.tasks_file import checked_tasks
from maml_rl.errors import UsageError
from tests.envs.metaworld.package import metaworld

ALL = ("ML1-reach-v3", *COLLECTIONS)


def identity(place: Any) -> tuple[Any, ...]:
    place = place if isinstance(place, Place) else Place.of(place)
    return place.env, *place.rand_vec.tolist()


def of_package(tasks: list[Any]) -> list[tuple[Any, ...]]:
    return [(task.env_name, *pickle.loads(task.data)["rand_vec"].tolist()) for task in tasks]


def test_names_are_the_packages() -> None:
    assert list(metaworld.env_dict.ALL_V3_ENVIRONMENTS) == list(ENVIRONMENTS)


@pytest.mark.parametrize("name", ["reach-v3", "sweep-into-v3", "lever-pull-v3"])
def test_tasks_are_those_of_the_packages_benchmark(name: str) -> None:
    benchmark = Benchmark(f"ML1-{name}", seed=5)
    train = of_package(metaworld.ML1(name, seed=5).train_tasks)
    test = of_package(metaworld.ML1(name, seed=5 + TEST_SEEDS).test_tasks)
    assert [identity(place) for place in benchmark.tasks("train")] == train
    assert [identity(place) for place in benchmark.tasks("test")] == test


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", COLLECTIONS)
def test_tasks_of_several_environments_are_those_of_the_packages_benchmark(name: str) -> None:
    made = getattr(metaworld, name)(seed=0)
    assert [identity(place) for place in Benchmark(name).tasks("train")] == of_package(made.train_tasks)
    made = getattr(metaworld, name)(seed=TEST_SEEDS)
    assert [identity(place) for place in Benchmark(name).tasks("test")] == of_package(made.test_tasks)


@pytest.mark.parametrize("name", [ALL[0], pytest.param("ML10", marks=pytest.mark.slow)])
def test_no_seeds_test_tasks_are_train_tasks_of_another(name: str) -> None:
    """The package's own test goals are the next seed's train goals."""
    assert of_package(metaworld.ML1("reach-v3", seed=0).test_tasks) == of_package(
        metaworld.ML1("reach-v3", seed=1).train_tasks
    )
    test = {identity(place) for place in Benchmark(name, seed=0).tasks("test")}
    for seed in range(3):
        assert test.isdisjoint(identity(place) for place in Benchmark(name, seed).tasks("train"))
    assert TEST_SEEDS > SEEDS  # So it is for all seeds.


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", COLLECTIONS)
def test_train_and_test_tasks_are_disjoint(name: str) -> None:
    """In ML25, they share an environment."""
    benchmark = Benchmark(name)
    train, test = ({identity(place) for place in benchmark.tasks(split)} for split in ("train", "test"))
    assert len(train) == 50 * int(name[2:])
    assert len(test) == 250
    assert train.isdisjoint(test)
    shared = {env for env, *_ in train} & {env for env, *_ in test}
    assert shared == ({"basketball-v3"} if name == "ML25" else set())


@pytest.mark.parametrize(
    "name", [ALL[0], *(pytest.param(name, marks=pytest.mark.slow) for name in COLLECTIONS)]
)
def test_a_run_draws_from_the_split_that_is_asked_for(name: str) -> None:
    copies, benchmark = EnvCopies(f"MetaWorld/{name}", {"tasks_seed": 3}), Benchmark(name, 3)
    for split in ("train", "test"):
        drawn = {identity(task) for task in copies.sample(7, 60, split)}
        assert drawn <= {identity(place) for place in benchmark.tasks(split)}
    assert [identity(x) for x in copies.sample(7, 4)] == [identity(x) for x in copies.sample(7, 4)]
    copies.close()


def test_each_environment_has_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    places = [Place(env, np.full(3, goal)) for env in ("a", "b", "c") for goal in range(4)]
    monkeypatch.setattr(Benchmark, "tasks", lambda *_: tuple(places))
    tasks = Benchmark("ML10").draw(np.random.default_rng(0), 14, "train")
    of_env = {env: list(group) for env, group in itertools.groupby(tasks, lambda task: task["env"])}
    assert sorted(map(len, of_env.values())) == [4, 5, 5]
    for group in of_env.values():  # All four goals before one comes again.
        assert len({task["rand_vec"][0] for task in group[:4]}) == 4
    few = [Benchmark("ML10").draw(np.random.default_rng(seed), 1, "train")[0]["env"] for seed in range(30)]
    assert set(few) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("task", "message"),
    [
        ({"env": "reach-v4", "rand_vec": [0.0]}, "did you mean 'reach-v3'"),
        ({"env": "reach-v3"}, "expected {env: reach-v3, rand_vec"),
        ({"env": "reach-v3", "rand_vec": "far"}, "expected a list of numbers"),
        (7, "expected {env: reach-v3, rand_vec"),
    ],
)
def test_what_is_no_task_is_one_line(task: Any, message: str) -> None:
    env = make_env("MetaWorld/ML1-reach-v3")
    with pytest.raises(UsageError, match=message):
        checked_tasks(env, [task], "tasks.yaml")


REACH = [0.0, 0.6, 0.02, 0.0, 0.8, 0.2]
LOW, HIGH = r"\[-0\.1, 0\.6, 0\.02, -0\.1, 0\.8, 0\.05\]", r"\[0\.1, 0\.7, 0\.02, 0\.1, 0\.9, 0\.3\]"


@pytest.mark.parametrize(
    ("name", "numbers", "message"),
    [
        ("reach-v3", REACH[:3], "reach-v3 takes 6 numbers, got 3"),
        (
            "reach-v3",
            [1e6, *REACH[1:]],
            rf"reach-v3 takes numbers from {LOW} to {HIGH}, got \[1000000\.0, 0\.6",
        ),
        ("reach-v3", [*REACH[:5], -1], "reach-v3 takes numbers from"),
        ("disassemble-v3", [0.05, 0.65, 0.025, 0.05, 0.65, 0.17], "nearer"),
    ],
)
def test_places_that_the_environment_cannot_have_are_one_line(
    name: str, numbers: list[float], message: str
) -> None:
    env = make_env("MetaWorld/ML1-reach-v3")
    written: list[Any] = [{"env": "reach-v3", "rand_vec": REACH}, {"env": name, "rand_vec": numbers}]
    with pytest.raises(UsageError, match=rf"^tasks\.yaml: task 2: rand_vec: .*{message}"):
        checked_tasks(env, written, "tasks.yaml")
    env.get_wrapper_attr("reset_task")(written[1])
    with pytest.raises(UsageError, match=f"^rand_vec: .*{message}"):
        env.reset(seed=0)


@pytest.mark.parametrize(
    "name", [ALL[0], *(pytest.param(f"ML1-{env}", marks=pytest.mark.slow) for env in ENVIRONMENTS)]
)
def test_all_tasks_of_the_package_can_be_written_down(name: str) -> None:
    """Rounded, too."""
    env, benchmark = make_env(f"MetaWorld/{name}"), Benchmark(name)
    places = [*benchmark.tasks("train"), *benchmark.tasks("test")]
    for digits in (17, 4):
        written = [{"env": env, "rand_vec": numbers.round(digits).tolist()} for env, numbers in places]
        assert len(checked_tasks(env, written, "tasks.yaml")) == 100


def test_tasks_can_be_written_down() -> None:
    env = make_env("MetaWorld/ML1-reach-v3")
    env.reset(seed=0)
    (task,) = draw_tasks(env, 1)
    (written,) = checked_tasks(
        env, [{"env": task["env"], "rand_vec": task["rand_vec"].tolist()}], "tasks.yaml"
    )
    assert identity(written) == identity(task)
