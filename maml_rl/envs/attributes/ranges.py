"""The values that a ``task-space`` gives an attribute: a range, a factor of its own value, or choices.

====================================  ==================================================================
``[low, high]``                       uniform; short for ``{low: …, high: …}``
``{low: …, high: …, log: true}``      uniform in the logarithm
``{low: …, high: …, whole: true}``    whole numbers, both ends among them
``{scale: [low, high]}``              the environment's own value times a factor; with ``log`` too
``{choices: […]}``                    one of these, each as often as the others
====================================  ==================================================================
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np

from maml_rl.envs.like import like
from maml_rl.envs.task_env import Array
from maml_rl.errors import UsageError, is_number, shown

FORMS = "[low, high], {low: ..., high: ...}, {scale: [low, high]} or {choices: [...]}"


class Values:
    """Values that an attribute may have."""

    @abstractmethod
    def check(self, own: Any, where: str) -> None:
        """Check that they are like the environment's ``own`` value.

        Raises:
            UsageError: they are not.
        """

    @abstractmethod
    def draw(self, rng: np.random.Generator, number: int, own: Any) -> Sequence[Any]:
        """Draw values."""


@dataclass(frozen=True)
class Choices(Values):
    """Some values."""

    values: Sequence[Any]

    def check(self, own: Any, where: str) -> None:
        """Check each value."""
        for value in self.values:
            fitted(own, value, where)

    def draw(self, rng: np.random.Generator, number: int, own: Any) -> Sequence[Any]:
        """Draw with replacement."""
        return [self.values[i] for i in rng.integers(len(self.values), size=number)]


@dataclass(frozen=True)
class Range(Values):
    """Numbers between two others, for every element of an attribute that is an array.

    Args:
        log: uniform in the logarithm.
        whole: whole numbers, ``high`` among them.
    """

    low: Any
    high: Any
    log: bool = False
    whole: bool = False

    def check(self, own: Any, where: str) -> None:
        """Check that the attribute holds numbers, and whether they are whole ones."""
        if not is_numeric(own):
            raise UsageError(f"{where}: expected choices, as it is {shown(own)} and no number")
        for bound in (self.low, self.high):
            if np.shape(bound) not in ((), np.shape(own)):
                raise UsageError(
                    f"{where}: expected bounds of shape {list(np.shape(own))}, got {shown(bound)}"
                )
        kinds = {np.asarray(bound).dtype.kind for bound in (self.low, self.high)}
        if np.asarray(own).dtype.kind in "iu" and kinds <= {"i", "u"} and not self.whole:
            raise UsageError(
                f"{where}: it is the whole number {shown(own)}: write {{low: {self.low}, high: {self.high}, "
                f"whole: true}} for whole numbers, [{self.low}.0, {self.high}.0] for others"
            )

    def draw(self, rng: np.random.Generator, number: int, own: Any) -> Sequence[Any]:
        """Draw numbers of the shape of ``own``."""
        shape = (number, *np.shape(own))
        if self.whole:
            return [*rng.integers(self.low, self.high, shape, endpoint=True)]
        return [*_uniform(rng, self.low, self.high, self.log, shape)]


@dataclass(frozen=True)
class Scale(Values):
    """The environment's own value times a factor, the same for all elements of an array."""

    low: int | float
    high: int | float
    log: bool = False

    def check(self, own: Any, where: str) -> None:
        """Check that the attribute holds numbers, and not whole ones, which a factor would break."""
        if not is_numeric(own) or np.asarray(own).dtype.kind != "f":
            kind = "a whole number" if is_numeric(own) else "no number"
            raise UsageError(f"{where}: expected choices or a range, as it is {shown(own)}, {kind}")

    def draw(self, rng: np.random.Generator, number: int, own: Any) -> Sequence[Any]:
        """Draw factors, and multiply."""
        factors = _uniform(rng, self.low, self.high, self.log, (number,))
        return [np.asarray(own) * factor for factor in factors]


def parse_values(entry: Any, where: str) -> Values:
    """Return what an entry of a task space stands for.

    Raises:
        UsageError: it has none of the forms above.
    """
    match entry:
        case [low, high] if is_number(low) and is_number(high):
            return Range(*_bounds(low, high, {}, where))
        case {"choices": [_, *_] as values, **rest} if not rest:
            return Choices(values)
        case {"low": low, "high": high, **flags} if _are_flags(flags, "log", "whole"):
            return Range(*_bounds(low, high, flags, where), **flags)
        case {"scale": [low, high], **flags} if _are_flags(flags, "log"):
            return Scale(*_bounds(low, high, flags, where), **flags)
    raise UsageError(f"{where}: expected {FORMS}, got {shown(entry)}")


def fitted(own: Any, value: object, where: str) -> Any:
    """Return ``value`` in the type of the environment's ``own``; a whole number may become another.

    Raises:
        UsageError: it is of another kind or shape.
    """
    is_whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    example = float(own) if type(own) is int and not is_whole else own
    if isinstance(own, list | tuple) and any(type(entry) is float for entry in own):
        # Somebody wrote [-1.0, 0.0, 1].
        example = type(own)(float(entry) if type(entry) is int else entry for entry in own)
    if isinstance(own, list | tuple) and isinstance(value, np.ndarray):  # Drawn for the whole of it.
        example, value = type(own)(np.asarray(own).astype(value.dtype).tolist()), value.tolist()
    return like([example], value, where)


def is_numeric(value: Any) -> bool:
    """Return whether a value is a number, or an array or a list of numbers; a bool is none."""
    try:
        return np.asarray(value).dtype.kind in "iuf"
    except ValueError:  # A ragged list.
        return False


def _are_flags(entries: Any, *names: str) -> TypeGuard[dict[str, bool]]:
    return entries.keys() <= {*names} and all(isinstance(value, bool) for value in entries.values())


def _bounds(low: Any, high: Any, flags: Mapping[str, bool], where: str) -> tuple[Any, Any]:
    """Return two bounds.

    Raises:
        UsageError: they are no numbers, in the wrong order, or not those that the flags need.
    """
    said = f"got {shown(low)} and {shown(high)}"
    same_shape = is_numeric(low) and is_numeric(high) and np.shape(low) == np.shape(high)
    if not (same_shape and np.isfinite([low, high]).all() and np.less_equal(low, high).all()):
        raise UsageError(f"{where}: expected finite numbers with low not above high, {said}")
    with np.errstate(over="ignore"):
        if not np.isfinite(np.subtract(high, low, dtype=float)).all():
            raise UsageError(f"{where}: expected numbers whose distance is finite, {said}")
    if flags.get("log") and (flags.get("whole") or not np.greater(low, 0).all()):
        raise UsageError(f"{where}: log needs numbers above 0, and no 'whole', {said}")
    if flags.get("whole") and np.asarray([low, high]).dtype.kind != "i":
        raise UsageError(f"{where}: expected whole numbers as low and high, {said}")
    return low, high


def _uniform(rng: np.random.Generator, low: Any, high: Any, log: bool, shape: tuple[int, ...]) -> Array:
    if not log:
        return rng.uniform(low, high, shape)
    drawn = np.exp(rng.uniform(np.log(low), np.log(high), shape))
    return np.clip(drawn, low, high)  # Rounding may leave the range.
