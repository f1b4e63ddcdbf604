"""Tasks that somebody wrote down, brought to the types of those that an environment draws."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from enum import Enum
from typing import Any, TypeAlias

import numpy as np

from maml_rl.envs.contract import array_of
from maml_rl.envs.task_env import Array, Task
from maml_rl.errors import UsageError, shown

Fit: TypeAlias = Callable[[Sequence[Any], object, str], Any]


def like(examples: Sequence[Any], value: object, where: str) -> Any:
    """Return a task, or a part of one, with the types and shapes of the examples.

    Mappings have the entries of an example, dataclasses and named tuples are written as mappings, tuples and
    sets as lists, members of an enumeration by name. A list may have any length if those of the examples
    differ. Numbers are finite. What is none of these is returned as it is. Where examples are of several
    kinds, it is the first that fits.

    Args:
        examples: tasks, or the same part of each.
        where: the value stands, for messages.

    Raises:
        UsageError: the value is like none of them.
    """
    kinds: dict[Fit, list[Any]] = {}
    for example in examples:
        kinds.setdefault(_kind(example), []).append(example)
    problems = []
    for fit, alike in kinds.items():
        try:
            return fit(alike, value, where)
        except UsageError as problem:
            problems.append(problem)
    raise problems[0]


def _kind(example: Any) -> "Fit":
    """Return what brings values to the type of an example."""
    if _fields(example) is not None or isinstance(example, Mapping):
        return _mapping
    if isinstance(example, list | tuple):
        return _sequence
    if isinstance(example, set | frozenset):
        return _set
    if isinstance(example, Enum):
        return _member
    if isinstance(example, bool | np.bool_):
        return _flag
    if isinstance(example, str):
        return _text
    if hasattr(example, "new_tensor"):
        return _tensor
    return _numbers if np.asarray(example).dtype.kind in "iuf" else _anything


def shown_task(task: Task) -> str:
    """Return a task as YAML in one line, long arrays left out."""
    if (fields := _fields(task)) is not None:
        return shown_task(fields)
    if isinstance(task, Mapping):
        return "{" + ", ".join(f"{key}: {shown_task(value)}" for key, value in task.items()) + "}"
    if isinstance(task, list | tuple):
        return "[" + ", ".join(map(shown_task, task)) + "]"
    if np.asarray(task).dtype.kind not in "iuf":
        return str(task)
    array = np.asarray(task)
    if array.ndim > 1:
        return f"numbers of shape {[*array.shape]}"
    return " ".join(np.array2string(array, precision=2, separator=", ", threshold=8).split())


def _fields(value: Any) -> dict[str, Any] | None:
    """Return what a dataclass or a named tuple holds, by name; None of anything else."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}
    return value._asdict() if isinstance(value, tuple) and hasattr(value, "_asdict") else None


def _mapping(examples: Sequence[Any], value: object, where: str) -> Any:
    contents = [content for e in examples if isinstance(content := _fields(e) or e, Mapping)]
    alike = [c for c in contents if isinstance(value, Mapping) and c.keys() == value.keys()]
    if not alike:
        told = f"{where} is {shown(value)}, expected the entries of {shown_task(examples[0])}"
        missing = contents[0].keys() - value.keys() if isinstance(value, Mapping) else ()
        raise UsageError(told + (f"; missing: {', '.join(sorted(map(str, missing)))}" if missing else ""))
    assert isinstance(value, Mapping)
    entries = {k: like([c[k] for c in alike], entry, f"{where}, {k}") for k, entry in value.items()}
    return entries if isinstance(examples[0], Mapping) else type(examples[0])(**entries)


def _sequence(examples: Sequence[Any], value: object, where: str) -> Any:
    alike = [e for e in examples if isinstance(e, list | tuple)]
    lengths = sorted({len(e) for e in alike})
    if not isinstance(value, list | tuple) or (len(lengths) == 1 and len(value) != lengths[0]):
        wanted = f"a list of {lengths[0]}" if len(lengths) == 1 else "a list"
        raise UsageError(f"{where}: expected {wanted}, such as {shown_task(examples[0])}, got {shown(value)}")
    every = [part for e in alike for part in e]
    if len(lengths) == 1 and len({type(part) for part in every}) > 1:
        parts = [[e[i] for e in alike] for i in range(len(value))]
    else:
        parts = [every] * len(value)
    places = (f"{where}[{i}]" for i in range(len(value)))
    fitted = [like(p, x, place) if p else x for p, x, place in zip(parts, value, places, strict=True)]
    return type(examples[0])(fitted)


def _set(examples: Sequence[Any], value: object, where: str) -> Any:
    every = [part for example in examples for part in example]
    if not isinstance(value, list | tuple | set | frozenset):
        raise UsageError(f"{where}: expected a list, got {shown(value)}")
    return type(examples[0])(like(every, part, where) if every else part for part in value)


def _member(examples: Sequence[Any], value: object, where: str) -> Any:
    members = type(examples[0]).__members__
    if not (isinstance(value, str) and value in members):
        raise UsageError(f"{where}: expected one of {', '.join(members)}, got {shown(value)}")
    return members[value]


def _flag(examples: Sequence[Any], value: object, where: str) -> Any:
    if not isinstance(value, bool):
        raise UsageError(f"{where}: expected true or false, got {shown(value)}")
    return value


def _text(examples: Sequence[Any], value: object, where: str) -> Any:
    if not isinstance(value, str):
        raise UsageError(f"{where}: expected text, got {shown(value)}")
    return value


def _anything(examples: Sequence[Any], value: object, where: str) -> Any:
    return value


def _tensor(examples: Sequence[Any], value: object, where: str) -> Any:
    numbers = _numbers([array_of(example) for example in examples], value, where)
    return examples[0].new_tensor(numbers)


def _numbers(examples: Sequence[Any], value: object, where: str) -> Any:
    expected: list[Array] = [np.asarray(example) for example in examples]
    first = expected[0]
    array = np.empty(0)
    with suppress(TypeError, ValueError, OverflowError), np.errstate(over="ignore"):
        given = np.asarray(value)
        if given.dtype.kind in "iuf":  # Not of true and false, which would be 1 and 0.
            array = given.astype(np.result_type(*expected), casting="same_kind")
            if array.dtype.kind in "iu" and not np.array_equal(array, given):  # It is too large for the type.
                array = np.empty(0)
    shapes = {x.shape for x in expected}
    ragged = len(shapes) > 1 and array.ndim in {len(shape) for shape in shapes}
    if not (array.shape in shapes or ragged) or not np.isfinite(array).all():
        whole = "whole " if np.result_type(*expected).kind in "iu" else ""
        wanted = f"{whole}numbers of shape {list(first.shape)}" if first.shape else f"a {whole}number"
        raise UsageError(f"{where}: expected {wanted}, got {shown(value)}")
    # NumPy calculates with its own numbers in another precision than with Python's.
    return array.item() if all(type(example) in (int, float) for example in examples) else array[()]
