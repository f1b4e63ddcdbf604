"""What a worker has in common with the process that it works for, besides its environment variables."""

import os
import site
import sys
from collections.abc import Sequence
from contextlib import suppress
from itertools import dropwhile
from pathlib import Path
from typing import NamedTuple


class Surroundings(NamedTuple):
    """Where modules and files are looked for, and the command line."""

    path: list[str]
    folder: str | None
    """The working folder; None if it has been deleted."""
    arguments: list[str]

    @classmethod
    def of_this_process(cls) -> "Surroundings":
        """Return what a worker of this process is given."""
        try:
            folder = str(Path.cwd())
        except FileNotFoundError:
            folder = None
        return cls(_safe(sys.path, folder), folder, sys.argv)

    def enter(self) -> None:
        """Make them those of this process."""
        sys.path[:], sys.argv[:] = self.path, self.arguments
        if self.folder is not None:
            with suppress(OSError):  # It may be gone by now.
                os.chdir(self.folder)


def _safe(entries: Sequence[object], folder: str | None) -> list[str]:
    """Return ``sys.path`` with the working folder behind the standard library, should it be first.

    Python puts it there for ``python -c``, and a file ``random.py`` in it would stand for Python's own. Its
    modules are found all the same, and before installed ones of the same name.
    """
    path = [entry for entry in entries if isinstance(entry, str)]  # As Python itself does.
    rest = list(dropwhile(("", folder).__contains__, path))
    if len(rest) < len(path) and folder is not None:
        installed = {*site.getsitepackages(), site.getusersitepackages()}
        behind = next((i for i, entry in enumerate(rest) if entry in installed), len(rest))
        rest.insert(behind, folder)
    return rest
