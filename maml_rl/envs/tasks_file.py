"""Tasks that a user wrote down, for tests on the same tasks as somebody else's."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from maml_rl._system.yaml_file import read_yaml
from maml_rl.envs.task_env import Task
from maml_rl.errors import UsageError, shown


def load_tasks(path: Path, example: Task) -> list[Task]:
    """Read a YAML or JSON list of tasks, such as ``[{velocity: 0.5}, {velocity: 1.5}]``.

    Args:
        example: a task of the environment: the entries of each one, their shapes and types.

    Raises:
        UsageError: the file is no such list, or a task is not like the example.
    """
    content = read_yaml(path, "tasks")
    if not isinstance(content, list) or not content:
        raise UsageError(f"{path}: expected a list of tasks, such as '- {_shown(example)}'")
    return [_like(example, entry, f"{path}: task {number}") for number, entry in enumerate(content, start=1)]


def _like(example: Task, entry: object, where: str) -> Task:
    if not isinstance(entry, Mapping) or entry.keys() != example.keys():
        raise UsageError(f"{where} is {shown(entry)}, expected the entries of {_shown(example)}")
    return {key: _value(example[key], value, f"{where}, {key}") for key, value in entry.items()}


def _value(example: Any, value: object, where: str) -> Any:
    """Return ``value`` with the example's shape and type, or as it is if the example is not numbers."""
    expected = np.asarray(example)
    if expected.dtype.kind not in "iuf":
        return value
    given = array = np.empty(0)
    with suppress(TypeError, ValueError, OverflowError), np.errstate(over="ignore"):
        given = np.asarray(value)
        if given.dtype.kind in "iuf":  # Not of true and false, which would be 1 and 0.
            array = given.astype(expected.dtype, casting="same_kind")
    if array.dtype.kind in "iu" and not np.array_equal(array, given):  # It is too large for the type.
        array = np.empty(0)
    if array.shape != expected.shape or not np.isfinite(array).all():
        wanted = f"numbers of shape {list(expected.shape)}" if expected.shape else "a number"
        raise UsageError(f"{where}: expected {wanted}, got {shown(value)}")
    return array[()]


def _shown(task: Task) -> str:
    """Return the task as YAML in one line, long arrays left out."""
    values = (np.array2string(np.asarray(v), precision=2, separator=", ", threshold=8) for v in task.values())
    return "{" + ", ".join(f"{k}: {' '.join(v.split())}" for k, v in zip(task, values, strict=True)) + "}"
