"""Signals that ask a command to end: the first one lets it clean up, a much later one ends it at once."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from maml_rl._system.kept import ENDING
from maml_rl.errors import UsageError

SAME_SIGNAL = 2.0
"""Seconds within which another signal is the first one again: GNU timeout sends two."""
OUT_OF_TIME = 75
"""Exit code of a command whose time was up: EX_TEMPFAIL, which asks to be run again."""

_held: list[Callable[[], None]] | None = None
"""What signals asked for while they are held back; None while they act at once."""
_ending = False
"""Whether an `Interrupted` is on its way: no other follows it."""


class Interrupted(BaseException):
    """A signal asked the process to end.

    Args:
        message: what happened, for the user.
        exit_code: for a signal, the one that shells expect of a process that it ended.
    """

    def __init__(self, message: str, exit_code: int):
        super().__init__(message)
        self.exit_code = exit_code


@contextmanager
def interruptible() -> Iterator[None]:
    """Raise `Interrupted` in the main thread at the first signal.

    Signals that were ignored stay so. In another thread signals are left alone, for Python allows no other.
    """
    global _ending
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    _ending = False
    first: float | None = None

    def end(number: int, _: FrameType | None) -> None:
        nonlocal first
        if first is None:
            first = time.monotonic()
            _end(Interrupted(f"interrupted by {signal.Signals(number).name}", 128 + number))
        elif time.monotonic() - first > SAME_SIGNAL:
            os._exit(128 + number)

    numbers = [getattr(signal, name) for name in ENDING if hasattr(signal, name)]
    with _handlers({n: end for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}):
        yield


@contextmanager
def advising(how_to_go_on: str | Callable[[], str]) -> Iterator[None]:
    """Have an interruption of the block tell how to go on; a function is asked for that then."""
    try:
        yield
    except Interrupted as interruption:
        advice = how_to_go_on if isinstance(how_to_go_on, str) else how_to_go_on()
        raise Interrupted(f"{interruption}; {advice}", interruption.exit_code) from None


@contextmanager
def held_back() -> Iterator[None]:
    """Have signals that come in the block act at its end, so that what it writes is whole."""
    global _held
    if _held is not None:  # The outer block's end will do.
        yield
        return
    _held = []
    try:
        yield
    finally:
        asked, _held = _held, None
        for act in asked:
            act()


def signal_named(name: str | None) -> signal.Signals | None:
    """Return the signal ``name``, such as USR1; None for None.

    Raises:
        UsageError: there is none that a process could hear besides Ctrl-C.
    """
    if name is None:
        return None
    number = getattr(signal, f"SIG{name.upper().removeprefix('SIG')}", None)
    unheard = {signal.SIGINT, getattr(signal, "SIGKILL", None), getattr(signal, "SIGSTOP", None)}
    if not isinstance(number, signal.Signals) or number in unheard:
        raise UsageError(f"checkpoint-signal: expected the name of a signal, such as USR1, got {name!r}")
    return number


@contextmanager
def on_signal(number: signal.Signals | None, action: Callable[[], None]) -> Iterator[None]:
    """Call ``action`` whenever the signal comes; the command goes on."""
    with _handlers({} if number is None else {number: lambda *_: _act(action)}):
        yield


@contextmanager
def time_limit(seconds: int | float | None) -> Iterator[None]:
    """Raise `Interrupted` in the main thread after ``seconds``; None is no limit.

    Raises:
        UsageError: there is no time to count, or this system has no timer.
    """
    if seconds is None:
        yield
        return
    if not 0 < seconds < 1e9:
        raise UsageError(f"max-seconds: expected more than 0 and less than 1e9, got {seconds}")
    if sys.platform == "win32":
        raise UsageError("max-seconds: this system has no timer for it; leave it out")
    up = Interrupted(f"the {seconds:g} seconds of --max-seconds are over", OUT_OF_TIME)
    with _handlers({signal.SIGALRM: lambda *_: _end(up)}):
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _end(interruption: Interrupted) -> None:
    """Raise the first interruption; the command is ending already at others."""
    global _ending

    def end() -> None:
        raise interruption

    if not _ending:
        _ending = True
        _act(end)


def _act(action: Callable[[], None]) -> None:
    if _held is None:
        action()
    else:
        _held.append(action)


@contextmanager
def _handlers(handlers: dict[int, Callable[[int, FrameType | None], None]]) -> Iterator[None]:
    """Install signal handlers, and those of before at the end."""
    if handlers and threading.current_thread() is not threading.main_thread():
        raise UsageError("max-seconds and checkpoint-signal: only Python's main thread can hear signals")
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
