from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maml_rl.envs.tasks_file import load_tasks
from maml_rl.errors import UsageError

VELOCITY = {"velocity": np.float64(1.0)}
GOAL = {"goal": np.zeros(2)}
MDP = {"transitions": np.zeros((2, 2, 2)), "arm": np.int64(0), "name": "a"}


def written(folder: Path, text: str, name: str = "tasks.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_get_the_types_of_the_environments_own(tmp_path: Path):
    tasks = load_tasks(written(tmp_path, "- {velocity: 1}\n- {velocity: 0.25}\n"), VELOCITY)
    assert tasks == [{"velocity": 1.0}, {"velocity": 0.25}]
    assert all(isinstance(task["velocity"], np.float64) for task in tasks)


def test_arrays_and_what_is_no_number(tmp_path: Path):
    text = '[{"goal": [0.5, -1]}]'
    (task,) = load_tasks(written(tmp_path, text, "tasks.json"), GOAL)
    np.testing.assert_array_equal(task["goal"], [0.5, -1.0])
    text = "- {name: b, arm: 3, transitions: [[[0, 1], [0, 1]], [[1, 0], [0.5, 0.5]]]}"
    (task,) = load_tasks(written(tmp_path, text), MDP)
    assert (task["name"], task["arm"], task["transitions"][1, 1, 0]) == ("b", 3, 0.5)


@pytest.mark.parametrize(
    ("example", "text", "message"),
    [
        (VELOCITY, "", r"expected a list of tasks, such as '- {velocity: 1.}'"),
        (VELOCITY, "velocity: 1", "expected a list of tasks"),
        (VELOCITY, "[]", "expected a list of tasks"),
        (VELOCITY, "- 0.5", "task 1 is 0.5, expected the entries of {velocity: 1.}"),
        (VELOCITY, "- {velocity: 1}\n- {speed: 1}", "task 2 is {'speed': 1}"),
        (VELOCITY, "- {velocity: 1, mass: 2}", "task 1 is"),
        (VELOCITY, "- {velocity: fast}", "task 1, velocity: expected a number, got 'fast'"),
        (VELOCITY, "- {velocity: .nan}", "expected a number, got nan"),
        (VELOCITY, "- {velocity: }", "expected a number, got None"),
        (VELOCITY, "- {velocity: [1]}", r"expected a number, got \[1\]"),
        (GOAL, "- {goal: [1, 2, 3]}", r"task 1, goal: expected numbers of shape \[2\], got \[1, 2, 3\]"),
        (GOAL, "- {goal: [[1], 2]}", r"expected numbers of shape \[2\]"),
        (MDP, "- {transitions: 0, arm: 1.5, name: a}", r"transitions: expected numbers of shape"),
        ({"arm": np.int64(0)}, "- {arm: 1.5}", "arm: expected a number, got 1.5"),
    ],
)
def test_what_is_not_like_a_task_is_named(tmp_path: Path, example: dict[str, Any], text: str, message: str):
    with pytest.raises(UsageError, match=message):
        load_tasks(written(tmp_path, text), example)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot read the tasks '.*nowhere\.yaml': No such file"):
        load_tasks(tmp_path / "nowhere.yaml", VELOCITY)
