"""Texts without the folders of the machine that they come from."""

import re
from collections.abc import Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

ROOT = r"(?:~?/|[A-Za-z]:[\\/]|\\\\)"
"""What the path of a file begins with that is not told from the working folder."""
WHOLE = re.compile(rf"{ROOT}(?!/)[^\n]*")
WITHIN = re.compile(rf"(?<![^\s'\"(\[{{=,]){ROOT}(?!/)[^\s'\",)\]}}]*")


def without_folders(value: Any) -> Any:
    """Return a value of a config, or a text, with the last name alone of each path that begins at the root.

    ``/home/me/ant.xml`` becomes ``…/ant.xml``.
    """
    if isinstance(value, str):
        if WHOLE.fullmatch(value):
            return _last_name(value)
        return WITHIN.sub(lambda path: _last_name(path[0]), value)
    if isinstance(value, Mapping):
        return {key: without_folders(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(entry) for entry in value]
    return value


def file_name(path: str) -> str:
    """Return the last name of any path."""
    kind = PureWindowsPath if "\\" in path else PurePosixPath
    return kind(path).name


def _last_name(path: str) -> str:
    return f"…/{file_name(path)}" if file_name(path) else path
