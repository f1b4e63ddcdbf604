"""The package ``metaworld``, or a line that says how to have it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, distributions, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from maml_rl._system.own_code import failure
from maml_rl.errors import UsageError

METAWORLD, MUJOCO = "3.1.1", "3.3.0"
"""The release of Meta-World, and the one of MuJoCo that it is made for, and asks for."""
INSTALL = f"pip install metaworld=={METAWORLD}"
NEEDED = f"Meta-World needs metaworld {METAWORLD} and mujoco {MUJOCO}"


@cache
def metaworld() -> Any:
    """Return the package.

    Raises:
        UsageError: it is not installed, or another release of it or of MuJoCo is, or it fails.
    """
    spec = find_spec("metaworld")
    if spec is None or spec.origin is None:  # A mere folder of that name has no origin.
        raise _missing("metaworld")
    _check_releases(Path(spec.origin).parents[1])
    try:
        import metaworld
    except ModuleNotFoundError as error:
        raise _missing(error.name) from None
    except ImportError as error:
        raise UsageError(f"{NEEDED} ({INSTALL}), and cannot be imported: {failure(error)}") from error
    return metaworld


def environment_class(name: str) -> Any:
    """Return a class of the package by the environment's name, such as ``reach-v3``."""
    return metaworld().env_dict.ALL_V3_ENVIRONMENTS[name]


def _missing(name: str | None) -> UsageError:
    return UsageError(f"Meta-World needs the package {name}: {INSTALL}")


def _check_releases(folder: Path) -> None:
    """Check that the releases are those that are needed.

    Args:
        folder: that metaworld lies in. What pip wrote elsewhere is of another copy.

    Raises:
        UsageError: one is another, or is not known.
    """
    told = next(iter(distributions(name="metaworld", path=[str(folder)])), None)
    found = told.version if told else f"of an unknown release in {folder}"
    try:
        mujoco = version("mujoco")
    except PackageNotFoundError:  # It is there all the same, or nothing here would have been imported.
        mujoco = MUJOCO
    if (found, mujoco) != (METAWORLD, MUJOCO):
        raise UsageError(f"{NEEDED}; installed are metaworld {found} and mujoco {mujoco}: {INSTALL}")
