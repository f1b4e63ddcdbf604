"""Mistakes that a user can mend: one line that says what was wrong, what was expected, what to do."""

import difflib
import math
import re
from collections.abc import Iterable
from numbers import Real
from typing import Any, TypeGuard


class UsageError(ValueError):
    """A wrong config, file, environment or argument. The command line prints it without a traceback."""


class WorkerError(RuntimeError):
    """A sampler worker failed; the message ends with the worker's own traceback."""


def is_number(value: object) -> TypeGuard[float]:
    """Return whether ``value`` is a finite number of Python or NumPy; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    number: Any = value  # What Real itself can do is not annotated.
    return bool(-math.inf < number < math.inf)


def check_number(name: str, value: object, least: int | float, most: int | float = math.inf) -> None:
    """Check that the option ``name`` is a finite number in ``[least, most]``.

    Raises:
        UsageError: it is not.
    """
    if not (is_number(value) and least <= value <= most):
        expected = f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise UsageError(f"{name}: expected {expected}, got {value!r}")


def out_of_memory(error: BaseException) -> bool:
    """Return whether Python, NumPy or torch could not have the memory that it asked for."""
    return isinstance(error, MemoryError) or bool(re.search(r"(allocate|out of) memory", str(error)))


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean 'x'?"`` for the nearest of ``known``, or all of them if none is near."""
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; expected one of: {', '.join(known)}" if known else ""
