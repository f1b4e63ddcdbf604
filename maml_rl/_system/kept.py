"""Settings of the whole process, put back after somebody else's code has run."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

_noticed: set[str] | None = None
"""Names of the settings that were put back; None while nobody looks."""


class Setting(NamedTuple):
    """A setting of the process: its value, and what sets it."""

    value: Any
    put: Callable[[Any], object]


@contextmanager
def process_settings_kept() -> Iterator[None]:
    """Put back what the block changes: the working folder, Python's signal handlers, torch's defaults."""
    before = _settings()
    try:
        yield
    finally:
        after = _settings()
        for name, (value, put) in before.items():
            if name in after and after[name].value != value:
                put(value)
                if _noticed is not None:
                    _noticed.add(name)


@contextmanager
def noticing() -> Iterator[set[str]]:
    """Yield the names of the settings that are put back meanwhile."""
    global _noticed
    outer, _noticed = _noticed, set()
    try:
        yield _noticed
    finally:
        _noticed = outer


def _settings() -> dict[str, Setting]:
    """Return the settings by name, those that there are."""
    settings = {}
    with suppress(FileNotFoundError):  # It may have been deleted.
        settings["the working folder"] = Setting(Path.cwd(), os.chdir)
    if threading.current_thread() is threading.main_thread():  # Python allows no other to put them.
        for number in signal.valid_signals():
            handler = signal.getsignal(number)
            if handler is not None:  # One that Python knows.
                settings[f"the handler of {_name_of(number)}"] = Setting(handler, _put_handler(number))
    if (torch := sys.modules.get("torch")) is not None:

        def put_device(
            device: Any,
        ) -> None:  # A default that is given slows every tensor down, the CPU's too.
            torch.set_default_device(None if device.type == "cpu" else device)

        settings |= {
            "torch's gradients": Setting(torch.is_grad_enabled(), torch.set_grad_enabled),
            "torch's default type": Setting(torch.get_default_dtype(), torch.set_default_dtype),
            "torch's default device": Setting(torch.get_default_device(), put_device),
            "torch's number of threads": Setting(torch.get_num_threads(), torch.set_num_threads),
        }
    return settings


def _name_of(number: int) -> str:
    return number.name if isinstance(number, signal.Signals) else f"signal {number}"


def _put_handler(number: int) -> Callable[[Any], object]:
    return lambda handler: signal.signal(number, handler)
