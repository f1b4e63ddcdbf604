"""Mistakes that a user can mend, and numbers that went wrong: one line each, which says what and where."""

import difflib
import math
import re
from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor


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


def check_finite(name: str, values: "Tensor", first_task: int = 0, hint: str = "") -> None:
    """Check a quantity of N tasks, ``[N, ...]``.

    Args:
        name: of the quantity, in the plural.
        first_task: the number of the first of them.
        hint: follows the message: when it was, or what to do.

    Raises:
        FloatingPointError: some numbers are NaN or infinite; the message names the tasks.
    """
    finite = values.isfinite().flatten(1).all(1) if values.dim() > 1 else values.isfinite()
    if not bool(finite.all()):
        tasks = [first_task + int(i) for i in (~finite).nonzero()]
        raise FloatingPointError(f"{name} are NaN or infinite in tasks {tasks}{hint}")
