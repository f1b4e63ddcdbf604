"""Tasks that somebody wrote down."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import yaml

from maml_rl.config import read_tasks
from maml_rl.envs import make_env
from maml_rl.envs.like import like, shown_task
from maml_rl.envs.tasks_file import checked_tasks
from maml_rl.errors import UsageError

VELOCITY = {"velocity": np.float64(1.0)}
GOAL = {"goal": np.zeros(2)}
MDP = {"transitions": np.zeros((2, 2, 2)), "arm": np.int64(0), "name": "a"}


@dataclass
class Spring:
    stiffness: float
    rest: tuple[float, float]


class Place(NamedTuple):
    row: int
    column: int


def read(folder: Path, text: str, name: str = "tasks.yaml") -> list[Any]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return read_tasks(path)


def parsed(text: str) -> Any:
    return yaml.safe_load(text)


def test_a_list_from_yaml_or_json(tmp_path: Path):
    assert read(tmp_path, "- {velocity: 1}\n- 0.25\n") == [{"velocity": 1}, 0.25]
    assert read(tmp_path, '[{"goal": [0.5, -1]}]', "tasks.json") == [{"goal": [0.5, -1]}]


@pytest.mark.parametrize("text", ["", "velocity: 1", "[]", "0.5"])
def test_what_is_no_list(tmp_path: Path, text: str):
    with pytest.raises(
        UsageError, match=r"tasks\.yaml: expected a list of tasks, such as '- \{velocity: 0.5\}'"
    ):
        read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot read the tasks '.*nowhere\.yaml': No such file"):
        read_tasks(tmp_path / "nowhere.yaml")


def test_numbers_get_the_types_of_the_environments_own():
    (task,) = [like([VELOCITY], {"velocity": 1}, "")]
    assert task == {"velocity": 1.0}
    assert type(task["velocity"]) is np.float64
    assert type(like([0.5], 1, "")) is float
    assert type(like([2], 1, "")) is int
    assert like([np.float32(0.5)], 0.1, "").dtype == np.float32


def test_arrays_and_what_is_no_number():
    task = like([GOAL], {"goal": [0.5, -1]}, "")
    np.testing.assert_array_equal(task["goal"], [0.5, -1.0])
    text = "{name: b, arm: 3, transitions: [[[0, 1], [0, 1]], [[1, 0], [0.5, 0.5]]]}"
    task = like([MDP], parsed(text), "")
    assert (task["name"], task["arm"], task["transitions"][1, 1, 0]) == ("b", 3, 0.5)


@pytest.mark.parametrize(
    ("examples", "text", "expected"),
    [
        ([0.5], "2", 2.0),
        ([1, 0.5], "0.25", 0.25),
        (["left"], "right", "right"),
        ([True], "false", False),
        ([(1.0, 2)], "[3, 4]", (3.0, 4)),
        ([[1, "a"]], "[2, b]", [2, "b"]),
        ([[1.0], [1.0, 2.0]], "[1, 2, 3, 4]", [1.0, 2.0, 3.0, 4.0]),
        ([[1.0], [1.0, 2.0]], "[]", []),
        ([{"a": [[1, 2], [3]]}], "{a: [[5], [6, 7, 8]]}", {"a": [[5], [6, 7, 8]]}),
        ([{"a": 1}, {"b": 2.0}], "{b: 3}", {"b": 3.0}),
        ([Spring(1.0, (0.0, 1.0))], "{stiffness: 2, rest: [1, 2]}", Spring(2.0, (1.0, 2.0))),
        ([Place(1, 2)], "{row: 3, column: 4}", Place(3, 4)),
        ([None], "{anything: 1}", {"anything": 1}),
    ],
    ids=str,
)
def test_tasks_of_any_kind(examples: list[Any], text: str, expected: Any):
    task = like(examples, parsed(text), "task 1")
    assert task == expected
    assert type(task) is type(expected)


@pytest.mark.parametrize(
    ("example", "text", "message"),
    [
        (VELOCITY, "0.5", "task 1 is 0.5, expected the entries of {velocity: 1.}"),
        (VELOCITY, "{speed: 1}", "task 1 is {'speed': 1}"),
        (VELOCITY, "{velocity: 1, mass: 2}", "task 1 is"),
        (VELOCITY, "{speed: 1}", "; missing: velocity"),
        (
            MDP,
            "{arm: 1}",
            r"{transitions: numbers of shape \[2, 2, 2\], arm: 0, name: a}; missing: name, trans",
        ),
        (VELOCITY, "{velocity: fast}", "task 1, velocity: expected a number, got 'fast'"),
        (VELOCITY, "{velocity: .nan}", "expected a number, got nan"),
        (VELOCITY, "{velocity: }", "expected a number, got None"),
        (VELOCITY, "{velocity: [1]}", r"expected a number, got \[1\]"),
        (GOAL, "{goal: [1, 2, 3]}", r"task 1, goal: expected numbers of shape \[2\], got \[1, 2, 3\]"),
        (GOAL, "{goal: [[1], 2]}", r"expected numbers of shape \[2\]"),
        (MDP, "{transitions: 0, arm: 1.5, name: a}", r"transitions: expected numbers of shape"),
        ({"arm": np.int64(0)}, "{arm: 1.5}", "arm: expected a whole number, got 1.5"),
        (0.5, "{velocity: 1}", r"task 1: expected a number, got \{'velocity': 1\}"),
        ("left", "1", "task 1: expected text, got 1"),
        (True, "1", "task 1: expected true or false, got 1"),
        ((1.0, 2.0), "[1, 2, 3]", r"task 1: expected a list of 2, such as \[1., 2.\], got \[1, 2, 3\]"),
        ([1.0, 2.0], "[1, x]", r"task 1\[1\]: expected a number, got 'x'"),
        (Spring(1.0, (0.0, 1.0)), "{stiffness: 2}", r"the entries of \{stiffness: 1., rest: \[0., 1.\]\}"),
    ],
)
def test_what_is_not_like_a_task_is_named(example: Any, text: str, message: str):
    with pytest.raises(UsageError, match=message):
        like([example], parsed(text), "task 1")


def test_a_task_in_a_line():
    assert (
        shown_task({"goal": np.array([0.5, 1.0]), "names": ["a", "b"]}) == "{goal: [0.5, 1. ], names: [a, b]}"
    )


def test_lists_for_an_environment():
    env = make_env("tests.envs.peculiar:ListTasks")
    assert checked_tasks(env, [], "tasks") == []
    assert checked_tasks(env, [[0.5], [1, 2, 3]], "tasks") == [[0.5], [1.0, 2.0, 3.0]]
    with pytest.raises(UsageError, match="mine: task 2: expected a list"):
        checked_tasks(env, [[0.5], 0.5], "mine")


@pytest.mark.parametrize(
    ("env", "kwargs", "task", "message"),
    [
        ("Bandit-K5-v0", {}, {"mean": [0.1, 0.2, 0.3, 0.4, 7]}, "mean: expected probabilities"),
        ("Bandit-K5-v0", {}, {"mean": [0.1, 0.2, 0.3, 0.4, -0.1]}, "mean: expected probabilities"),
        (
            "TabularMDP-v0",
            {"num_states": 2, "num_actions": 1},
            {"transitions": [[[0.5, 0.5]], [[1, 1]]], "rewards_mean": [[0], [0]]},
            "transitions: expected numbers from 0 on that sum to 1 over next states, got a sum of 2",
        ),
        (
            "TabularMDP-v0",
            {"num_states": 2, "num_actions": 1},
            {"transitions": [[[0.5, 0.5]], [[-1, 2]]], "rewards_mean": [[0], [0]]},
            "transitions: expected numbers from 0 on",
        ),
    ],
)
def test_probabilities_are_such(env: str, kwargs: dict[str, Any], task: Any, message: str):
    made = make_env(env, kwargs)
    drawn = made.get_wrapper_attr("sample_tasks")(3)
    assert len(checked_tasks(made, drawn, "mine")) == 3
    with pytest.raises(UsageError, match=f"mine: task 1: {message}"):
        checked_tasks(made, [task], "mine")


def test_means_of_gaussian_arms_are_any():
    env = make_env("GaussianBandit-K5-v0", {})
    assert checked_tasks(env, [{"mean": [7.0, -1.0, 0.0, 0.0, 0.0]}], "mine")
