"""Warnings that something goes by another name now, all in one form."""

import warnings

KEPT_FOR = 2
"""Minor versions in which an old name still works."""


def warn_moved(old: str, new: str, since: str) -> None:
    """Warn whoever called the caller that ``old`` is ``new``. The names of 2020 stay, and warn of nothing.

    Args:
        since: the first version with the new name, as "0.2".
    """
    message = f"{old} is {new} since version {since}; the old name goes in {gone_in(since)}"
    warnings.warn(message, DeprecationWarning, stacklevel=3)


def gone_in(since: str) -> str:
    """Return the first version without a name that was replaced in version ``since``."""
    major, minor = map(int, since.split("."))
    return f"{major}.{minor + KEPT_FOR}"
