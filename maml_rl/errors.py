"""Mistakes that a user can mend, and numbers that went wrong: one line each, which says what and where."""

import difflib
import math
import re
from collections.abc import Iterable
from numbers import Real
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from torch import Tensor

LARGEST_COUNT = 10**12
"""More than any array holds: the bound of options that count something."""
FEW = 20
"""Names that a message may list."""
LONGEST_MESSAGE = 4000
"""Letters of a line, more or less."""
MOST_NEAR = 2
"""Names that begin with what was given, of which all are said."""
NEAR, LONGEST_NAME = 0.8, 100
"""The likeness, up to 1, from which a name is near another; and the letters that are compared."""


class UsageError(ValueError):
    """A wrong config, file, environment or argument. The command line prints it without a traceback.

    The message is one printable line, whatever names and values are in it.
    """

    def __init__(self, message: str):
        super().__init__(printable(message))


class WorkerError(RuntimeError):
    """A sampler worker failed; the message ends with the worker's own traceback."""


class RunsFailedError(Exception):
    """Runs that were trained side by side failed; each was told when it did."""


def printable(text: str) -> str:
    """Return the text as one line that any terminal shows: line ends and escape codes as Python spells them.

    The middle of a text beyond `LONGEST_MESSAGE` is left out.
    """
    if len(text) > LONGEST_MESSAGE:
        text = f"{text[: LONGEST_MESSAGE // 2]} ... {text[-LONGEST_MESSAGE // 2 :]}"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def shown(value: object, most: int = 200) -> str:
    """Return how Python spells a value, in a line that is cut to ``most`` characters."""
    return in_a_line(repr(value), most)


def in_a_line(text: str, most: int = 200) -> str:
    """Return a text without line ends, cut to ``most`` characters."""
    text = re.sub(r"\s*\n\s*", " ", text)
    return text if len(text) <= most else f"{text[:most]}..."


def is_number(value: object) -> TypeGuard[float]:
    """Return whether ``value`` is a finite number of Python or NumPy; a bool is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # An integer that no float can hold.
        return False


def check_number(name: str, value: object, least: int | float, most: int | float = math.inf) -> None:
    """Check that the option ``name`` is a finite number in ``[least, most]``.

    Raises:
        UsageError: it is not.
    """
    if not (is_number(value) and least <= value <= most):
        expected = f"{least} or more" if most == math.inf else f"{least} to {most}"
        raise UsageError(f"{name}: expected {expected}, got {shown(value)}")


def check_whole(name: str, value: object, least: int, most: int | float = math.inf) -> None:
    """Check that the option ``name`` is a whole number in ``[least, most]``.

    Raises:
        UsageError: it is not.
    """
    check_number(name, value, least, most)
    if not isinstance(value, int):
        raise UsageError(f"{name}: expected a whole number, got {shown(value)}")


def out_of_memory(error: BaseException) -> bool:
    """Return whether Python, NumPy or torch could not have the memory that it asked for."""
    return isinstance(error, MemoryError) or bool(re.search(r"(allocate|out of) memory", str(error)))


def did_you_mean(name: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return ``"; did you mean 'x'?"`` for what is near among ``known``; if nothing is, all of a few names.

    Near is what differs by a letter or two, or has words more or fewer at its end.

    Args:
        otherwise: the hint in place of a long list.
    """
    names = sorted(known)
    if near := _nearest(name[:LONGEST_NAME].casefold(), names):
        return f"; did you mean {' or '.join(map(repr, near))}?"
    return f"; expected one of: {', '.join(names)}" if 0 < len(names) <= FEW else otherwise


def _nearest(word: str, known: list[str]) -> list[str]:
    ends = r"[-_:]"
    longer = [x for x in known if re.match(re.escape(word) + ends, x)]
    if 0 < len(longer) <= MOST_NEAR:
        return longer
    like = {other: difflib.SequenceMatcher(None, word, other.casefold()).ratio() for other in known}
    best = max(known, key=lambda other: (like[other], other), default="")
    if best and like[best] >= NEAR:
        return [best]
    return (longer or [x for x in known if re.match(re.escape(x) + ends, word)])[:1]


def check_finite(name: str, values: "Tensor", first_task: int = 0, hint: str = "") -> None:
    """Check a quantity of N tasks, ``[N, ...]``.

    Args:
        name: of the quantity, in the plural.
        first_task: the number of the first of them.
        hint: follows the message: when it was, or what to do.

    Raises:
        FloatingPointError: some numbers are NaN or infinite; the message names the tasks.
    """
    # Parameters before the first step are one vector, expanded: to look once saves gigabytes.
    shared = values.dim() > 1 and values.stride(0) == 0
    finite = finite_parts(values[:1] if shared else values).expand(len(values))
    if not bool(finite.all()):
        tasks = [first_task + int(i) for i in (~finite).nonzero()]
        raise FloatingPointError(f"{name} are NaN or infinite in tasks {tasks}{hint}")


def finite_parts(values: "Tensor") -> "Tensor":
    """Return which parts of ``values [N, ...]`` have no number that is NaN or infinite, ``[N]``."""
    parts = values if values.dim() > 1 else values[:, None]
    others = tuple(range(1, parts.dim()))
    finite = parts.sum(others).isfinite()  # A tenth of the time of looking at each number.
    # Large numbers add up to infinity too.
    return finite if bool(finite.all()) else parts.isfinite().all(others)
