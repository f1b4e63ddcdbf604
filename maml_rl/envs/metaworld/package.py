"""The package ``metaworld``, or a line that says how to have it."""

from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from maml_rl.errors import UsageError

MUJOCO = "3.3.0"
"""The release of MuJoCo that metaworld 3.1.1 is made for, and asks for."""
INSTALL = "pip install 'maml-rl[metaworld]'"


@cache
def metaworld() -> Any:
    """Return the package.

    Raises:
        UsageError: it is not installed, or not with its MuJoCo.
    """
    try:
        found = version("mujoco")
    except PackageNotFoundError:  # It is there all the same, or nothing here would have been imported.
        found = MUJOCO
    try:
        import metaworld
    except ModuleNotFoundError as error:
        raise UsageError(f"Meta-World needs the package {error.name}: {INSTALL}") from None
    if found != MUJOCO:
        raise UsageError(f"Meta-World needs mujoco {MUJOCO}, and mujoco {found} is installed: {INSTALL}")
    return metaworld


def environment_class(name: str) -> Any:
    """Return a class of the package by the environment's name, such as ``reach-v3``."""
    return metaworld().env_dict.ALL_V3_ENVIRONMENTS[name]
