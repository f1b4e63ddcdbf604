"""Names that are imported when they are first asked for, names that have moved, and names that are gone."""

import importlib
import warnings
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(
    package: str,
    places: Mapping[str, str],
    moved: Mapping[str, str] | None = None,
    gone: Mapping[str, str] | None = None,
) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package or module.

    Args:
        places: the module that defines each name.
        moved: old names and what replaces each, ``package.module.name``. Asking for one warns; it goes two
            minor versions after the move.
        gone: old names and what to use in place of each, in words. Asking for one raises `ImportError`.
    """

    def get(name: str) -> Any:
        if moved is not None and name in moved:
            message = f"{package}.{name} is {moved[name]} now; the old name goes two minor versions later"
            warnings.warn(message, DeprecationWarning, stacklevel=2)
            module, _, attribute = moved[name].rpartition(".")
            return getattr(importlib.import_module(module), attribute)
        if gone is not None and name in gone:
            raise ImportError(f"{package}.{name} of 2020 is gone: {gone[name]}; see docs/from-2020.md")
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(places[name]), name)

    return get
