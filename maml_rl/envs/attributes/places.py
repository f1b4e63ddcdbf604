"""Places in an environment that a task can set: ``length``, ``limits[0]``, ``model.body_mass[torso]``."""

import copy
import re
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from difflib import SequenceMatcher
from typing import Any, Protocol, runtime_checkable

import numpy as np

from maml_rl._system.own_code import failure
from maml_rl.errors import FEW, LONGEST_NAME, UsageError, is_number, shown

PATH = re.compile(r"(?P<names>[^\W\d]\w*(\.[^\W\d]\w*)*)(\[(?P<index>[^\[\]]+)\])?")


@runtime_checkable
class Place(Protocol):
    """A value of an environment that can be read and set."""

    def get(self) -> Any:
        """Return the value."""
        ...

    def set(self, value: Any) -> None:
        """Set the value."""
        ...


class Attribute:
    """An attribute of an object.

    Args:
        owner: the object.
    """

    def __init__(self, owner: object, name: str):
        self.owner, self.name = owner, name

    def get(self) -> Any:
        """Return the value, or a copy of one that can change."""
        value = getattr(self.owner, self.name)
        return copy.deepcopy(value) if isinstance(value, list | dict | np.ndarray) else value

    def set(self, value: Any) -> None:
        """Set a copy of the value."""
        setattr(self.owner, self.name, copy.deepcopy(value))


class Element:
    """An element of an attribute that is a list, a tuple, a dict or an array.

    Other copies of the environment may share that object, as where it is an attribute of the class. So it is
    not changed: a copy with another element takes its place.

    Args:
        keys: of the element; more than one for an array of several dimensions.
    """

    def __init__(self, whole: Attribute, keys: tuple[Any, ...]):
        self.whole, self.keys = whole, keys

    def get(self) -> Any:
        """Return the value."""
        found = self.whole.get()
        return found[self._key(found)]

    def set(self, value: Any) -> None:
        """Set the value."""
        found = self.whole.get()
        changed = list(found) if type(found) is tuple else found
        changed[self._key(changed)] = copy.deepcopy(value)
        setattr(self.whole.owner, self.whole.name, tuple(changed) if type(found) is tuple else changed)

    def _key(self, found: Any) -> Any:
        return self.keys if isinstance(found, np.ndarray) else self.keys[0]


def split(path: str) -> tuple[list[str], list[str]]:
    """Return the names and the indices of a path, ``a.b[c, 0]``.

    Raises:
        UsageError: it is no path.
    """
    parts = PATH.fullmatch(path)
    if parts is None:
        raise UsageError(
            f"task-space: {shown(path)} names no attribute: expected such as 'length' or 'a.b[c]'"
        )
    index = parts["index"]
    return parts["names"].split("."), [] if index is None else [key.strip() for key in index.split(",")]


def find_place(root: object, path: str, what: str) -> Place:
    """Return the place that ``path`` leads to.

    Args:
        what: the root is, for messages.

    Raises:
        UsageError: there is none, or MuJoCo's model does not allow that it is changed.
    """
    names, keys = split(path)
    owner = root
    for i, name in enumerate(names):
        if (model := _model_with(owner, name)) is not None:
            from maml_rl.envs.attributes.mujoco_model import model_place  # MuJoCo takes a second to import.

            return model_place(model, ".".join(names[i:]), keys, path)
        holder = f"'{'.'.join(names[:i])}' of {what}" if i else what
        value = read(owner, name, holder)
        owner = owner if i == len(names) - 1 else value
    attribute = Attribute(owner, names[-1])
    return _element(attribute, keys, path) if keys else attribute


def read(owner: object, name: str, what: str) -> Any:
    """Return an attribute.

    Args:
        what: the owner is, for messages.

    Raises:
        UsageError: there is none, or it cannot be read.
    """
    try:
        return getattr(owner, name)
    except AttributeError:
        known = numbers_of(owner)
        hint = f"its numbers: {nearest_first(name, known)}" if known else "it has no numbers"
        if is_mujoco_model(getattr(owner, "model", None)):
            hint += "; and those of its model, such as model.body_mass"
        raise UsageError(f"task-space: {what} has no attribute '{name}'; {hint}") from None
    except Exception as error:  # It is computed by somebody's code.
        raise UsageError(f"task-space: '{name}' of {what} cannot be read: {failure(error)}") from error


def is_mujoco_model(value: object) -> bool:
    """Return whether a value is a model of MuJoCo's."""
    mujoco = sys.modules.get("mujoco")
    return mujoco is not None and isinstance(value, mujoco.MjModel)


def _model_with(owner: object, field: str) -> Any:
    """Return the model of MuJoCo's that ``owner`` is, or hands the field out of; None if there is none.

    dm_control and robosuite have models within such objects.
    """
    if is_mujoco_model(owner):
        return owner
    held = getattr(owner, "__dict__", {})
    for model in filter(is_mujoco_model, held.values() if isinstance(held, dict) else ()):
        with suppress(Exception):  # A property may fail, of which `read` tells.
            if _is_same(getattr(model, field), getattr(owner, field)):
                return model
    return None


def _is_same(field: Any, shown: Any) -> bool:
    """Return whether both are the same memory of a model, or the same part of it."""
    if isinstance(field, np.ndarray):
        return isinstance(shown, np.ndarray) and np.shares_memory(field, shown)
    return field is shown and not is_number(field)


def numbers_of(owner: object) -> list[str]:
    """Return the names of an object's attributes that are numbers."""
    found = {}
    for name in dir(owner):
        # What a property computes cannot be set, and may do anything.
        if not (name.startswith("__") or isinstance(getattr(type(owner), name, None), property)):
            with suppress(Exception):
                found[name] = getattr(owner, name)
    return [name for name, value in found.items() if is_number(value)]


def nearest_first(name: str, known: Iterable[str]) -> str:
    """Return names in a line, those that are most like ``name`` first, and not too many."""
    word = name[:LONGEST_NAME].casefold()
    names = sorted(known, key=lambda other: -SequenceMatcher(None, word, other.casefold()).ratio())
    return ", ".join(names[:FEW]) + (", ..." if len(names) > FEW else "")


def _element(attribute: Attribute, keys: list[str], path: str) -> Element:
    found = attribute.get()
    if isinstance(found, Mapping):
        known = {str(key): key for key in found}
        if len(keys) != 1 or keys[0] not in known:
            raise UsageError(f"task-space: {path}: there is {nearest_first(keys[0], known)}")
        return Element(attribute, (known[keys[0]],))
    is_sequence = isinstance(found, list) or type(found) is tuple
    shape = np.shape(found) if isinstance(found, np.ndarray) else (len(found),) if is_sequence else ()
    if not shape:
        raise UsageError(f"task-space: {path}: '{attribute.name}' is {shown(found)}, which has no elements")
    return Element(attribute, indices(keys, shape, path))


def indices(keys: list[str], shape: tuple[int, ...], path: str) -> tuple[int, ...]:
    """Return indices as numbers.

    Raises:
        UsageError: they are none of an array of that ``shape``.
    """
    if len(keys) <= len(shape) and all(key.isdecimal() for key in keys):
        numbers = tuple(int(key) for key in keys)
        if all(number < size for number, size in zip(numbers, shape, strict=False)):
            return numbers
    raise UsageError(f"task-space: {path}: expected indices from 0, for the shape {list(shape)}")
