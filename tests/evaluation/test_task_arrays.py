from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from maml_rl.evaluation import AdaptationResults
from maml_rl.evaluation.task_arrays import task_arrays


def saved(tasks: list[Any], path: Path) -> dict[str, np.ndarray]:
    """The entries of the tasks, as a file without pickles gives them back."""
    returns = np.zeros((2, len(tasks), 3), np.float32)
    AdaptationResults(returns, tasks, (0.1,), seed=1).save(path / "r.npz")
    with np.load(path / "r.npz", allow_pickle=False) as file:
        return {name: array for name, array in file.items() if name.startswith("task")}


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0.5, 1.5], "float64"),
        ([1, 2], "int64"),
        ([1, 2.5], "float64"),
        ([True, False], "bool"),
        ([np.float32(0.1), np.float32(0.2)], "float32"),
        ([(1.0, 2.0), (3.0, 4.0)], "float64"),
        ([[[1], [2]], [[3], [4]]], "int64"),
        (["left", "right"], "<U5"),
        ([1 + 2j, 3j], "complex128"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_what_fits_one_array_is_one(values: list[Any], dtype: str, named: bool, tmp_path: Path):
    arrays = saved([{"x": value} for value in values] if named else values, tmp_path)
    (array,) = arrays.values()
    assert list(arrays) == ["task_x" if named else "task"]
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, np.array(values))


@pytest.mark.parametrize("values", [[b"\1\7\0\0", b"\0\0\2\0"], [b"a", b"b"]])
def test_bytes_come_back_to_the_byte(values: list[bytes], tmp_path: Path):
    assert [x.tobytes() for x in saved([{"x": value} for value in values], tmp_path)["task_x"]] == values


@pytest.mark.parametrize(
    "values",
    [
        [[1.0], [1.0, 2.0]],  # Ragged.
        [None, 2.0],
        [None, None],
        [b"one", b"eleven\0"],
        [[b"a\0"], [b"b\0"]],
        [b"", b""],
        ["a\0", "b"],
        ["1", 2],
        [True, 1],
        [10**30, 1],
        [{"a": 1, "b": [1, 2]}, {"a": 2, "b": []}],
        [float("nan"), "x"],
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_what_fits_none_is_yaml(values: list[Any], named: bool, tmp_path: Path):
    mappings = isinstance(values[0], dict)
    if mappings and not named:
        return
    (array,) = saved([{"x": value} for value in values] if named else values, tmp_path).values()
    assert array.dtype.kind == "U"
    assert str([yaml.safe_load(text) for text in array]) == str(values)


def test_entries_that_some_tasks_lack(tmp_path: Path):
    arrays = saved([{"a": 1}, {"b": 2.5}, {"a": 3, "b": 4}], tmp_path)
    assert arrays["task_a"].tolist() == ["1", "null", "3"]
    assert arrays["task_b"].tolist() == ["null", "2.5", "4"]


def test_things_of_a_class_that_no_file_knows(tmp_path: Path):
    assert saved([{"x": Fraction(1, 3)}, {"x": 1}], tmp_path)["task_x"].tolist() == ["Fraction(1, 3)", "1"]


class Unspeakable:
    """Somebody's class, of which neither an array nor a text can be made."""

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("no array")

    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (torch.tensor(1.5, dtype=torch.bfloat16), 1.5),
        (torch.tensor([1.0, 2.0], requires_grad=True), [1.0, 2.0]),
    ],
)
def test_tensors_of_any_type_and_graph(value: Any, expected: Any, tmp_path: Path):
    assert saved([{"x": value}], tmp_path)["task_x"].tolist() == [expected]
    assert saved([{"x": [value, None]}], tmp_path)["task_x"].tolist() == [f"[{expected}, null]"]


def test_what_cannot_even_be_spelled(tmp_path: Path):
    for task in (Unspeakable(), {"x": Unspeakable()}, {"x": [Unspeakable()]}):
        (array,) = saved([task], tmp_path).values()
        assert " object at 0x" in array[0]


def test_names_that_are_spelled_alike(tmp_path: Path):
    (array,) = saved([{1: 0.5, "1": 0.7}, {1: 0.1, "1": 0.2}], tmp_path).values()
    assert [yaml.safe_load(text) for text in array] == [{1: 0.5, "1": 0.7}, {1: 0.1, "1": 0.2}]


def test_a_zero_dimensional_array_and_a_tuple_of_arrays():
    arrays = task_arrays([{"x": np.array(2.0), "y": (np.zeros(2), 1)}, {"x": 3.0, "y": (np.ones(1), 2)}])
    assert arrays["task_x"].tolist() == [2.0, 3.0]
    assert arrays["task_y"].tolist() == ["[[0.0, 0.0], 1]", "[[1.0], 2]"]
