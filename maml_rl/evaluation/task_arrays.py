"""Tasks of any kind as arrays that hold no Python objects."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import yaml
from numpy.typing import NDArray

from maml_rl._system.yaml_dumper import dump_yaml
from maml_rl.envs.contract import array_of


def task_arrays(tasks: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """Return arrays with one row per task.

    There is ``task_<name>`` for each entry of the tasks, or ``task`` if they are no mappings. Bytes are of a
    void type, which keeps each of them. What does not fit one array (lists of varying length, an entry that
    some tasks lack, None) is a text per task, in YAML.
    """
    names = dict.fromkeys(name for task in tasks if isinstance(task, Mapping) for name in task)
    told_apart = len({f"{name}" for name in names}) == len(names)  # Not so 1 and "1".
    if not (told_apart and all(isinstance(task, Mapping) for task in tasks)):
        return {"task": _column(tasks)}
    return {f"task_{name}": _column([task.get(name) for task in tasks]) for name in names}


def of_tasks(arrays: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Return those of a file's arrays that `task_arrays` made."""
    return {name: array for name, array in arrays.items() if name == "task" or name.startswith("task_")}


def tasks_in(arrays: Mapping[str, NDArray[Any]]) -> list[Any]:
    """Return the tasks that `task_arrays` made arrays of; what became a text stays one."""
    columns = of_tasks(arrays)
    if "task" in columns:
        return list(columns["task"])
    rows = zip(*columns.values(), strict=True)
    return [dict(zip((name.removeprefix("task_") for name in columns), row, strict=True)) for row in rows]


def _column(values: Sequence[Any]) -> NDArray[Any]:
    if all(isinstance(value, bytes) for value in values):
        same_length = len({len(value) for value in values}) == 1 and len(values[0]) > 0
        return np.array([np.void(value) for value in values]) if same_length else _texts(values)
    try:
        arrays = [array_of(value) for value in values]
        stacked = np.stack(arrays)
    except Exception:  # Of several shapes, or somebody's objects.
        return _texts(values)
    kinds = {array.dtype.kind for array in arrays}
    numbers = kinds <= {"i", "u", "f"} or kinds in ({"b"}, {"c"})
    # Arrays of texts drop zeros at the end.
    letters = kinds == {"U"} and stacked.tolist() == [_plain(value) for value in values]
    return stacked if numbers or letters else _texts(values)


def _texts(values: Sequence[Any]) -> NDArray[Any]:
    return np.array([task_text(value) for value in values])


def task_text(value: Any) -> str:
    """Return a task, or an entry of one, as a line of YAML; what YAML does not know, as its ``repr``."""
    try:
        text = dump_yaml(_plain(value), default_flow_style=True, width=math.inf)
    except yaml.YAMLError:
        return _spelled(value)
    return text.removesuffix("...\n").rstrip("\n")


def _spelled(value: Any) -> str:
    """Return how Python spells somebody's object, which may fail at that."""
    try:
        return repr(value)
    except Exception:
        return object.__repr__(value)


def _plain(value: Any) -> Any:
    """Return the value with lists, dicts and numbers of Python in place of tuples, mappings and arrays."""
    if isinstance(value, np.ndarray | np.generic | torch.Tensor):
        return _plain(array_of(value).tolist())
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, set | frozenset):  # Whose order is chance.
        return sorted(map(_plain, value), key=task_text)
    return value


def _plain_key(key: Any) -> Any:
    """Return the key of a mapping; of several numbers or texts, as a tuple is, a text."""
    plain = _plain(key)
    return task_text(plain) if isinstance(plain, list | dict) else plain
