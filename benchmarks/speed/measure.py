"""Timing: things to compare take turns, so that a machine that slows down slows all of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

REPETITIONS = 5


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Args:
        number: of the requirement.
        what: was measured.
        unit: of ``value`` and ``bar``.
        values: of each repetition.
        bar: what the median is held against.
        at_least: whether more is better.
        detail: absolute numbers behind the ratio, of this machine on that day.
    """

    number: str
    what: str
    unit: str
    values: tuple[float, ...]
    bar: float
    at_least: bool
    detail: str = ""

    @property
    def value(self) -> float:
        return median(self.values)

    @property
    def passed(self) -> bool:
        return self.value >= self.bar if self.at_least else self.value <= self.bar


def seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def take_turns(*functions: Callable[[], object], repetitions: int = REPETITIONS) -> list[list[float]]:
    """Return the seconds of each call, ``[function][repetition]``, after a call of each to warm up."""
    for function in functions:
        function()
    times = [[seconds(function) for function in functions] for _ in range(repetitions)]
    return [list(column) for column in zip(*times, strict=True)]


def against(
    ours: Callable[[], object], reference: Callable[[], object], repetitions: int = REPETITIONS
) -> list[tuple[float, float]]:
    """Return the seconds of ``ours`` and of ``reference``, the mean of a call before and one after it.

    Call both once before, to warm up.
    """
    pairs = []
    before = seconds(reference)
    for _ in range(repetitions):
        middle, after = seconds(ours), seconds(reference)
        pairs.append((middle, (before + after) / 2))
        before = after
    return pairs
