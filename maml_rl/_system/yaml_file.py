"""Reading the YAML and JSON that users write: plain data, within bounds."""

import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from maml_rl._system.reading import read_regular
from maml_rl.errors import UsageError, shown

LARGEST = 2**26
"""Bytes that a file may have."""
DEEPEST = 50
"""Lists and mappings that may be inside one another."""
TOO_DEEP = f"it is nested deeper than {DEEPEST}"
ROOM = 10_000
"""Values that aliases may add to those that are written out."""


def read_yaml(path: Path, what: str) -> object:
    """Return what the file holds: plain dicts, lists, strings and numbers.

    Args:
        what: the file is to its reader, for messages.

    Raises:
        UsageError: it is missing, unreadable, too large, or not YAML (for ``.json``: JSON).
    """
    parse = parse_json if path.suffix.lower() == ".json" else parse_yaml
    text = _read_text(path, what)
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{path} is not valid {path.suffix[1:] or 'YAML'}: {error}") from None


def parse_yaml(text: str) -> object:
    """Return what the text holds: plain dicts, lists, strings and numbers.

    Numbers are those of YAML 1.2 and JSON: ``1e-3`` is one. See `maml_rl._system.yaml_loader`.

    Raises:
        ValueError: it is not YAML, is nested too deeply, or aliases make it too large.
    """
    from maml_rl._system.yaml_loader import compose, construct, parts  # Here for the sake of a quick --help.

    node = compose(text)
    check_extent(node, parts, len(text) + ROOM)
    return construct(node)


def parse_json(text: str) -> object:
    """Return what the text holds.

    Raises:
        ValueError: it is not JSON, is nested too deeply, or a mapping has a key twice.
    """
    try:
        content: object = json.loads(text, object_pairs_hook=_mapping)
    except RecursionError:
        raise ValueError(TOO_DEEP) from None
    check_extent(content, _parts, len(text) + ROOM)
    return content


def check_extent(root: Any, parts: Callable[[Any], Iterable[Any]], most: int) -> None:
    """Check that a tree is no deeper than `DEEPEST` and has no more than ``most`` values.

    A part that several share counts for each of them, as it does for whatever walks the tree later.

    Args:
        parts: returns those of a list or a mapping; nothing for anything else.

    Raises:
        ValueError: it is deeper or larger, or a string in it is not Unicode.
    """
    count, left = 0, [(root, 0)]
    while left:
        value, depth = left.pop()
        count += 1
        if depth > DEEPEST:
            raise ValueError(f"{TOO_DEEP}, or an alias contains itself")
        if count > most:
            raise ValueError("its aliases stand for too much: write out what they repeat")
        left += [(part, depth + 1) for part in parts(value)]


def _read_text(path: Path, what: str) -> str:
    try:
        return read_regular(path, LARGEST).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"cannot read the {what} '{path}': not a text file in UTF-8") from None
    except OSError as error:
        raise UsageError(f"cannot read the {what} '{path}': {error.strerror or error}") from None
    except ValueError as error:  # As of a path with NUL.
        raise UsageError(f"cannot read the {what} {shown(str(path))}: {error}") from None


def _mapping(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"{shown(twice)} is given twice")
    return made


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, str):
        check_text(value)
    if isinstance(value, dict):
        return [*value, *value.values()]
    return value if isinstance(value, list) else ()


def check_text(text: str) -> None:
    """Check that a string can be written as UTF-8, which half of a surrogate pair cannot.

    Raises:
        ValueError: it cannot.
    """
    if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{shown(text)} holds half a character")
