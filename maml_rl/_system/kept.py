"""Settings of the whole process, put back after somebody else's code has run."""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any, NamedTuple

ENDING = ("SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGXCPU")
"""What people, closed terminals and batch systems send. Some systems lack some of them."""
SIGNALS = (*ENDING, "SIGALRM")
"""Signals that commands act on."""

_noticed: ContextVar[set[str] | None] = ContextVar("noticed", default=None)


class Setting(NamedTuple):
    """A setting of the process."""

    read: Callable[[], Any]
    put: Callable[[Any], object]


@contextmanager
def process_settings_kept() -> Iterator[set[str]]:
    """Put back the settings of the process that a block changes; yield a set that has their names afterwards.

    They are the working folder, the handlers of `SIGNALS`, and torch's defaults if it is imported. In a
    thread other than the main one nothing is put back, for they are that one's.
    """
    changed: set[str] = set()
    if threading.current_thread() is not threading.main_thread():
        yield changed
        return
    before = {name: (setting, _value(setting)) for name, setting in _settings().items()}
    try:
        yield changed
    finally:
        for name, (setting, value) in before.items():
            if value is not None and _value(setting) != value:
                changed.add(name)
                with suppress(Exception):  # The others are to be put back all the same.
                    setting.put(value)
        if (noticed := _noticed.get()) is not None:
            noticed |= changed


@contextmanager
def noticing() -> Iterator[set[str]]:
    """Yield the names of the settings that are put back anywhere in the block."""
    names: set[str] = set()
    token = _noticed.set(names)
    try:
        yield names
    finally:
        _noticed.reset(token)


def _value(setting: Setting) -> Any:
    """Return the setting's value; None if it has none, as a working folder that has been deleted."""
    try:
        return setting.read()
    except Exception:  # The system's, or torch's of a device that is not there.
        return None


def _settings() -> dict[str, Setting]:
    """Return the settings by name."""
    settings = {f"the handler of {name}": _handler(name) for name in SIGNALS if hasattr(signal, name)}
    settings["the working folder"] = Setting(Path.cwd, os.chdir)
    if (torch := sys.modules.get("torch")) is not None:
        settings |= {
            "torch's gradients": Setting(torch.is_grad_enabled, torch.set_grad_enabled),
            "torch's default type": Setting(torch.get_default_dtype, torch.set_default_dtype),
            "torch's default device": Setting(torch.get_default_device, _put_device),
            "torch's number of threads": Setting(torch.get_num_threads, torch.set_num_threads),
        }
    return settings


def _handler(name: str) -> Setting:
    number = getattr(signal, name)
    return Setting(lambda: signal.getsignal(number), lambda handler: signal.signal(number, handler))


def _put_device(device: Any) -> None:
    # Setting "cpu" would slow down every call of torch; None does not.
    sys.modules["torch"].set_default_device(None if device.type == "cpu" else device)
