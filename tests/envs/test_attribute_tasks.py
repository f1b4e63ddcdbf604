"""Tasks of environments without any: values of attributes, and what follows from them."""

import copy
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from maml_rl.envs import make_env, make_task_vector_env
from maml_rl.envs.attributes.constructor import _constructed
from maml_rl.envs.attributes.places import find_place
from maml_rl.envs.check import check_env
from maml_rl.envs.contract import draw_tasks, set_task
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.errors import UsageError

CARTPOLE = {"masspole": [0.05, 1.0], "length": {"scale": [0.5, 2.0]}}


def made(space: Any, kind: str = "Spring", **kwargs: Any) -> Any:
    return make_env(f"tests.envs.with_attributes:{kind}", {"task_space": space, **kwargs})


def begun(env: Any, task: Any, seed: int = 0) -> Any:
    """Return the environment itself, at the start of an episode of the task."""
    set_task(env, task)
    env.reset(seed=seed)
    return env.unwrapped


def trajectory(env: gym.Env[Any, Any], seed: int = 3) -> list[Any]:
    observation, _ = env.reset(seed=seed)
    seen = [observation]
    rng = np.random.default_rng(seed)
    for _ in range(20):
        observation, reward, ended, *_ = env.step(rng.integers(2))
        seen.append([*observation, reward])
        if ended:
            break
    return [np.asarray(x, float).tolist() for x in seen]


def test_tasks_follow_from_the_seed_whatever_the_order_of_the_space():
    one, other = made({"mass": [1, 2], "stiffness": [1, 9]}), made({"stiffness": [1, 9], "mass": [1, 2]})
    tasks = EnvTaskSpace(one).sample(5, 4)
    assert EnvTaskSpace(one).sample(5, 4) == EnvTaskSpace(other).sample(5, 4) == tasks
    assert EnvTaskSpace(one).sample(6, 4) != tasks
    assert all(1 <= task["mass"] <= 2 and 1 <= task["stiffness"] <= 9 for task in tasks)


def test_a_task_holds_from_the_next_reset_on():
    env = made({"mass": [1.0, 9.0]})
    env.reset(seed=0)
    set_task(env, {"mass": 5.0})
    assert env.unwrapped.mass == 1.0
    env.reset()
    assert env.unwrapped.mass == 5.0


def test_what_a_task_lacks_is_the_environments_own_and_nothing_adds_up():
    env = made({"mass": [1.0, 9.0], "stiffness": [1.0, 9.0], "weights[1]": [0.0, 5.0]})
    spring = begun(env, {"mass": 2.0, "weights[1]": 3.0})
    assert (spring.mass, spring.stiffness, spring.weights) == (2.0, 4.0, [1.0, 3.0])
    assert spring.frequency == np.sqrt(2.0)
    spring = begun(env, {"stiffness": 9.0})
    assert (spring.mass, spring.stiffness, spring.weights) == (1.0, 9.0, [1.0, 2.0])
    assert spring.frequency == 3.0
    begun(env, {})
    fresh = vars(gym.make("CartPole-v1").unwrapped)
    assert fresh["masspole"] == 0.1
    again = {name: value for name, value in vars(spring).items() if name in ("frequency", "table", "mass")}
    assert again == {"frequency": 2.0, "table": [0.0, 2.0, 4.0], "mass": 1.0}


def test_cartpole_is_the_one_that_its_formulas_make():
    env = make_env("CartPole-v1", {"task_space": CARTPOLE})
    cart: Any = begun(env, {"masspole": 0.7, "length": 0.9})
    assert (cart.total_mass, cart.polemass_length) == (0.7 + 1.0, 0.7 * 0.9)
    # The oracle sets all four by hand.
    oracle: Any = gym.make("CartPole-v1")
    oracle.unwrapped.masspole, oracle.unwrapped.length = 0.7, 0.9
    oracle.unwrapped.total_mass, oracle.unwrapped.polemass_length = 0.7 + 1.0, 0.7 * 0.9
    assert trajectory(env) == trajectory(oracle)
    assert trajectory(env) != trajectory(gym.make("CartPole-v1"))
    begun(env, {})
    assert trajectory(env) == trajectory(gym.make("CartPole-v1"))


def test_arguments_of_the_constructor_are_its_attributes_too():
    env = make_env("Pendulum-v1", {"g": 5.0, "task_space": {"g": [5, 15], "l": [0.5, 1.5]}})
    pendulum = begun(env, {"l": 2.0})
    assert (pendulum.g, pendulum.l) == (5.0, 2.0)
    assert begun(env, {"g": 12}).g == 12.0
    assert begun(made({"stiffness": [1, 9]}, stiffness=1.0), {"stiffness": 9}).frequency == 3.0


def test_attributes_of_the_class_belong_to_one_copy():
    env = make_env("Acrobot-v1", {"task_space": {"LINK_MASS_1": [0.5, 2.0]}})
    assert begun(env, {"LINK_MASS_1": 2.0}).LINK_MASS_1 == 2.0
    other: Any = gym.make("Acrobot-v1").unwrapped
    assert (other.LINK_MASS_1, type(other).LINK_MASS_1) == (1.0, 1.0)


def test_what_explicit_values_and_the_constructor_both_say():
    spring = begun(made({"mass": [1, 2], "frequency": [1, 9]}), {"mass": 2.0, "frequency": 7.0})
    assert (spring.frequency, spring.table) == (7.0, [0.0, 7.0, 14.0])


def test_values_of_other_kinds():
    space = {
        "rest": [-1.0, 1.0],
        "limits[low]": [-2.0, -1.0],
        "on": {"choices": [True, False]},
        "name": {"choices": ["a", "b"]},
        "count": {"low": 1, "high": 5, "whole": True},
        "weights": {"choices": [[0, 1], [2, 3]]},
    }
    env = made(space)
    before = copy.deepcopy(vars(env.unwrapped))
    for task in EnvTaskSpace(env).sample(0, 5):
        spring = begun(env, task)
        assert type(spring.rest) is np.ndarray
        assert spring.rest.shape == (2,)
        assert type(spring.on) is bool
        assert type(spring.count) is int
        assert spring.limits["low"] == task["limits[low]"]
        assert spring.limits["high"] == 1.0
        assert all(type(weight) is float for weight in spring.weights)
    spring = begun(env, {})
    assert spring.rest.tolist() == before["rest"].tolist()
    assert spring.limits == before["limits"]


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("stifness", r"'tests\.\S+|Spring' has no attribute 'stifness'; its numbers: stiffness, "),
        ("state", "has no attribute 'state'"),
        ("nothing", "'nothing' of environment 'Spring' is None: expected a number, text"),
        ("action_space", "expected a number, text"),
        ("action_space.shape[0]", "expected|cannot be set|has no elements"),
        ("limits[middle]", "limits.middle.: there is low, high|there is high, low"),
        ("weights[2]", r"expected indices from 0, for the shape \[2\]"),
        ("weights[a]", "expected indices from 0"),
        ("rest[0, 0]", "expected indices from 0"),
        ("mass[0]", "'mass' is 1.0, which has no elements"),
        ("spec.ids", "'spec' of environment 'Spring' has no attribute 'ids'"),
        ("a b", "names no attribute: expected such as 'length' or"),
        ("mass[", "names no attribute"),
        ("", "names no attribute"),
        ("unwrapped", "expected a number"),
        ("np_random_seed", "cannot be set|expected a number"),
    ],
)
def test_what_is_no_attribute(path: str, message: str):
    with pytest.raises(UsageError, match=message):
        made({path: [1.0, 2.0]})


def test_properties():
    computed = begun(made({"length": [1.0, 9.0]}, "Computed"), {"length": 3.0})
    assert (computed.length, computed.square, computed.period) == (3.0, 9.0, 6.0)
    with pytest.raises(UsageError, match="'readable' of environment 'Computed' cannot be set: property"):
        made({"readable": [1.0, 9.0]}, "Computed")
    with pytest.raises(UsageError, match=r"'early' of .* cannot be read: reset first \(RuntimeError"):
        made({"early": [1.0, 9.0]}, "Computed")


def test_arrays_of_whole_numbers():
    with pytest.raises(UsageError, match=r"task-space: grid: expected whole numbers of shape \[2\]"):
        made({"grid": [0.5, 3.5]})
    assert begun(made({"grid": {"low": 1, "high": 3, "whole": True}}), {"grid": [2, 3]}).grid.tolist() == [
        2,
        3,
    ]


def test_what_is_no_task():
    env = made({"mass": [1, 2], "name": {"choices": ["a"]}})
    for task, message in (
        (0.5, "task is 0.5, expected some of the entries mass, name"),
        ("far", "task is 'far', expected some of the entries mass, name"),
        ({"mas": 1}, "task: 'mas' is none of the task-space, which has mass, name"),
        ({"mass": "heavy"}, "task, mass: expected a number, got 'heavy'"),
        ({"mass": float("nan")}, "expected a number"),
        ({"name": 1}, "task, name: expected text, got 1"),
    ):
        with pytest.raises(UsageError, match=message):
            set_task(env, task)


def test_an_attribute_that_reset_sets():
    env = made({"mass": [2, 3]}, "Resetting")
    set_task(env, {"mass": 2.5})
    with pytest.raises(
        UsageError, match=r"'mass' .* was set to 2.5, and is 1.0: its reset\(\) sets it itself"
    ):
        env.reset(seed=0)


def test_an_attribute_that_steps_change():
    env = made({"mass": [2, 3]}, "Restless")
    for _ in range(2):
        restless = begun(env, {"mass": 2.5})
        assert restless.mass == 2.5
        env.step(np.zeros(1, np.float32))
        assert restless.mass != 2.5


def test_values_that_the_constructor_refuses():
    env = made({"mass": [2, 30]}, "Strict")
    begun(env, {"mass": 3})
    set_task(env, {"mass": 20.0})
    with pytest.raises(
        UsageError, match=r"constructor of .* fails with {'mass': 20.0}: too heavy \(ValueError"
    ):
        env.reset(seed=0)


def notes(space: Any, kind: str) -> list[str]:
    findings = check_env(f"tests.envs.with_attributes:{kind}", {"task_space": space})
    assert not any(found.breaks for found in findings)
    return [found.message for found in findings if "generator of Python" not in found.message]


@pytest.mark.slow
def test_what_does_not_follow_is_said():
    assert notes({"mass": [1, 2]}, "Spring") == []
    note, _ = notes({"reach": [0.5, 2]}, "Spring")  # Nor does anything else follow.
    assert note.startswith(
        "its action_space follows from 'reach', but is the same for all tasks: Box(-1.0, 1.0"
    )
    (note,) = notes({"mass": [1, 2]}, "Once")
    assert note.startswith(
        "a task sets 'mass' and nothing that the constructor computes from that: it cannot be"
    )
    assert "only one (RuntimeError" in note


def test_the_constructor_is_asked_once_a_task_and_draws_nothing(monkeypatch: pytest.MonkeyPatch):
    _constructed.cache_clear()
    vector = make_task_vector_env("tests.envs.with_attributes:Spring", {"task_space": {"mass": [1, 2]}}, 6)
    vector.reset_task([{"mass": 1.5}, {"mass": 1.25}])
    np.random.seed(0)
    expected = np.random.RandomState(0).random()
    vector.reset(seed=1)
    assert np.random.random() == expected
    assert _constructed.cache_info().misses == 3  # The environment's own, and those of two tasks.


@pytest.mark.parametrize("task", [{"rest": [3, 4]}, {"rest[0]": 3}, {"rest": [3, 4], "rest[0]": 5}])
def test_entries_that_overlap(task: Any):
    env = made({"rest": [-1, 1], "rest[0]": [0, 1]})
    set_task(env, task)
    with pytest.raises(UsageError, match="another entry sets it too"):
        env.reset(seed=0)


def test_a_list_of_tasks_is_drawn_without_replacement():
    tasks = [{"mass": float(i), "stiffness": 2.0} for i in range(1, 6)]
    env = made(tasks)
    env.reset(seed=0)
    assert sorted(task["mass"] for task in draw_tasks(env, 5)) == [1, 2, 3, 4, 5]
    drawn = [task["mass"] for task in draw_tasks(env, 12)]
    assert sorted(drawn[:5]) == sorted(drawn[5:10]) == [1, 2, 3, 4, 5]
    with pytest.raises(UsageError, match=r"has no attribute 'm'"):
        made([{"mass": 1}, {"m": 1}])


def test_the_task_can_be_observed():
    env = made({"mass": [1, 2], "stiffness": [1, 9]}, observe_task=True)
    assert env.observation_space.shape == (4,)
    set_task(env, {"mass": 1.5})
    observation, _ = env.reset(seed=0)
    assert observation[2:].tolist() == [1.5, 4.0]
    with pytest.raises(UsageError, match="observe_task: expected numbers in the task, got"):
        made({"name": {"choices": ["a", "b"]}}, observe_task=True)


def test_a_task_space_for_what_has_tasks():
    for name in ("2DNavigation-v0", "tests.envs.peculiar:Line"):
        with pytest.raises(UsageError, match=r"sets tasks of its own, .* a list of 'tasks' can be given"):
            make_env(name, {"task_space": {"goal": [0, 1]}})
        make_env(name, {"task_space": [{"goal": 0.5}]}).close()


@pytest.mark.parametrize("space", [{}, [], "g", 3, True])
def test_what_is_no_task_space(space: Any):
    with pytest.raises(UsageError, match="task-space: expected ranges by name"):
        made(space)


def test_without_a_task_space_it_is_named():
    with pytest.raises(UsageError, match=r"has no method sample_tasks\(\): .* or give a task-space"):
        make_env("Pendulum-v1")


def test_attributes_of_attributes():
    class Outer:
        inner = SimpleNamespace(mass=1.0, weights=(1.0, 2.0))

    outer = Outer()
    find_place(outer, "inner.mass", "it").set(3.0)
    assert (outer.inner.mass, find_place(outer, "inner.mass", "it").get()) == (3.0, 3.0)
    with pytest.raises(UsageError, match="'inner' of it has no attribute 'mas'; its numbers: mass"):
        find_place(outer, "inner.mas", "it")


def test_numbers_that_are_not_public_are_named_too():
    class Robot:
        def __init__(self) -> None:
            self._cost_weight = 0.1

    with pytest.raises(UsageError, match=r"no attribute 'cost_weight'; its numbers: _cost_weight$"):
        find_place(Robot(), "cost_weight", "it")
    message = "its numbers: _forward_reward_weight, .*; and those of its model, such as model.body_mass$"
    with pytest.raises(UsageError, match=message):
        make_env("HalfCheetah-v5", {"task_space": {"forward_reward_weight": [1.0, 2.0]}})


def test_elements_are_replaced_and_not_changed_in_place():
    class Shares:
        table = [1.0, 2.0]
        grid = np.zeros((2, 2))
        limits = (0.5, 1)

    one, other = Shares(), Shares()
    find_place(one, "table[1]", "it").set(5.0)
    find_place(one, "grid[1, 0]", "it").set(5.0)
    find_place(one, "limits[0]", "it").set(0.25)
    assert (one.limits, other.limits) == ((0.25, 1), (0.5, 1))
    assert (one.table, other.table, Shares.table) == ([1.0, 5.0], [1.0, 2.0], [1.0, 2.0])
    assert one.grid.tolist() == [[0, 0], [5, 0]]
    assert not Shares.grid.any()
    assert find_place(one, "grid[1, 0]", "it").get() == 5.0
