"""Names that are imported when they are first asked for, names that have moved, and names that are gone."""

import importlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from maml_rl.deprecation import warn_moved


class Moved(NamedTuple):
    """What replaces an old name."""

    now: str
    """As ``package.module.name``."""
    since: str
    """The first version in which it is called so."""


def lazy_names(
    package: str,
    places: Mapping[str, str],
    moved: Mapping[str, Moved] | None = None,
    gone: Mapping[str, str] | None = None,
) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package or module.

    Args:
        places: the module that defines each name.
        moved: old names and what replaces each. Asking for one warns.
        gone: old names and what to use in place of each, in words. Asking for one raises `ImportError`.
    """

    def get(name: str) -> Any:
        if moved is not None and name in moved:
            now, since = moved[name]
            warn_moved(f"{package}.{name}", now, since)
            module, _, attribute = now.rpartition(".")
            return getattr(importlib.import_module(module), attribute)
        if gone is not None and name in gone:
            raise ImportError(f"{package}.{name} of 2020 is gone: {gone[name]}; see docs/from-2020.md")
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(places[name]), name)

    return get
