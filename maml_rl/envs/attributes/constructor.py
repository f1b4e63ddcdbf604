"""What an environment's constructor computes from attributes that a task sets.

``CartPole`` stores ``total_mass = masspole + masscart``. Setting ``masspole`` alone would give physics of two
poles. So the constructor runs once more for each task, on a subclass in which it finds the task's values
wherever it stores those attributes; the other numbers that come out then are the task's, too.
"""

import pickle
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache
from inspect import signature
from typing import Any

import cloudpickle
import gymnasium as gym
import numpy as np

from maml_rl.seeding import global_generators_kept

RECENT = 256
"""Tasks whose attributes are remembered."""


class Constructor:
    """Constructs an environment anew, with other values of some attributes.

    Args:
        env: the environment itself, without wrappers.
    """

    def __init__(self, env: Any):
        self._kind: type = type(env)
        spec = getattr(env, "spec", None)
        self._arguments: bytes = cloudpickle.dumps(getattr(spec, "kwargs", {}))

    def attributes(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the attributes that come of ``values``: plain data, and spaces.

        The dict is remembered, and not to be changed.

        Raises:
            Exception: whatever the constructor raises.
        """
        return _constructed(self._kind, self._arguments, pickle.dumps(dict(values)))


@lru_cache(RECENT)
def _constructed(kind: Any, arguments: bytes, values: bytes) -> dict[str, Any]:
    given: dict[str, Any] = pickle.loads(values)
    kwargs: dict[str, Any] = cloudpickle.loads(arguments)
    taken = signature(kind).parameters.keys()
    kwargs |= {name: value for name, value in given.items() if name in taken}
    if "render_mode" in kwargs:
        kwargs["render_mode"] = None

    def set_attribute(self: Any, name: str, value: Any) -> None:
        kind.__setattr__(self, name, given.get(name, value))

    # A value of the class is the task's, too; a property takes it where the constructor sets it.
    of_class = {k: v for k, v in given.items() if not hasattr(getattr(kind, k, None), "__set__")}
    # With the module's name, by which environments find files beside it.
    members = {"__module__": kind.__module__, "__setattr__": set_attribute, **of_class}
    with global_generators_kept():
        made = type(kind.__name__, (kind,), members)(**kwargs)
        with suppress(Exception, SystemExit):  # It was never reset.
            made.close()
    return {
        name: value for name, value in vars(made).items() if is_plain(value) or isinstance(value, gym.Space)
    }


def is_plain(value: Any) -> bool:
    """Return whether a value is plain data: numbers, text, arrays, and lists, tuples and dicts of these."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(map(is_plain, value)) and all(map(is_plain, value.values()))
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "biufcU"
    return isinstance(value, bool | int | float | complex | str | bytes | np.generic)


def same(a: Any, b: Any) -> bool:
    """Return whether two plain values, or two spaces, are equal; NaN equals itself."""
    if isinstance(a, gym.Space) or isinstance(b, gym.Space):
        return bool(a == b)
    return type(a) is type(b) and pickle.dumps(a) == pickle.dumps(b)
