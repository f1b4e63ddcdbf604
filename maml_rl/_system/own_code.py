"""Code of the user's own: classes that configs and options name as ``package.module:Class``."""

import functools
import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType
from typing import Any

from maml_rl.errors import UsageError

SUCCESSORS = {
    "gym": "gym is gymnasium now: write 'import gymnasium as gym'",
    "mujoco_py": "mujoco_py is mujoco now; Gymnasium's robots are in gymnasium.envs.mujoco, -v5",
    "gymnasium.envs.mujoco": "Gymnasium's robots are -v5 now, such as gymnasium.envs.mujoco.ant_v5",
}
"""What to import in place of modules that are gone, by the beginnings of their names."""

_trusted: ContextVar[bool] = ContextVar("trusted", default=False)


@contextmanager
def trusting(trust: bool) -> Iterator[None]:
    """Let configs name code in their own folders while the block runs, or not."""
    token = _trusted.set(trust)
    try:
        yield
    finally:
        _trusted.reset(token)


def check_origin(name: str, folder: Path) -> None:
    """Check that ``module:Class``, which the config of a run names, is not code that came with the run.

    Nothing is imported.

    Raises:
        UsageError: the module lies in the run's ``folder``, and it is not trusted.
    """
    if _trusted.get() or not (place := _place_in(name, folder.resolve())):
        return
    raise UsageError(
        f"'{folder}' names code in itself: '{name}' is {place}, and would run; "
        "if you trust whoever made that folder, pass --trust"
    )


def load_named(name: str, what: str) -> Any:
    """Import what ``package.module:Name`` names. The name may have dots.

    The module is looked for where Python looks, and then in the working folder.

    Args:
        what: it is, for messages.

    Raises:
        UsageError: there is no such module or name, or the module fails; the message says where.
    """
    module_name, _, attribute = name.rpartition(":")
    if not (module_name and attribute):
        raise UsageError(f"{what}: expected 'package.module:Class'")
    module = import_named(module_name, what)
    try:
        return functools.reduce(getattr, attribute.split("."), module)
    except AttributeError:
        raise UsageError(f"{what}: {described(module)} has no attribute '{attribute}'") from None


def import_named(module_name: str, what: str) -> ModuleType:
    """Import a module of the user's.

    Raises:
        UsageError: there is none, or it fails.
    """
    package = module_name.partition(".")[0]
    try:
        # Not sooner, for libraries try to import what may be missing, and there it may be somebody else's.
        known = package in sys.modules or PathFinder.find_spec(package)
        if not known and (here := _working_folder()) and here not in sys.path:
            sys.path.append(here)
        return importlib.import_module(module_name)
    except ImportError as error:
        missing = error.name and f"{module_name}.".startswith(f"{error.name}.")
        said = str(error) if missing else failure(error)
        raise UsageError(f"{what}: {said}{_successor(error.name)}") from error
    except (Exception, SystemExit) as error:  # The module is anything; it may also be a script, which ends.
        raise UsageError(f"{what}: {failure(error)}") from error


def described(module: ModuleType) -> str:
    """Return the module in words, with its file: it may be another one than was meant."""
    file = getattr(module, "__file__", None)
    return f"module '{module.__name__}' ({file})" if file else f"module '{module.__name__}'"


def failure(error: BaseException) -> str:
    """Return an error in a line: what it says, its kind, and where the user's own code raised it."""
    said, place = str(error), _place(error) or (error.__context__ and _place(error.__context__))
    if isinstance(error, SystemExit):
        said = f"it ends the process, {exit_code(error)}"
    if isinstance(error, SyntaxError):
        said, place = error.msg, f"{error.filename}:{error.lineno}"
    kind = type(error).__name__ + (f" at {place}" if place else "")
    return f"{' '.join(said.split())} ({kind})" if said else kind


def exit_code(error: SystemExit) -> str:
    """Return what ``error`` ends the process with, in words; a text is printed, and its code is 1."""
    if isinstance(error.code, int | None):
        return f"with exit code {error.code or 0}"
    return f"with exit code 1: {' '.join(str(error.code).split())}"


def _place(error: BaseException) -> str | None:
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if not frame.filename.startswith(("<", *_not_own()))]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None


def _not_own() -> tuple[str, ...]:
    """Return the folders of this package and of Python, with what is installed there."""
    import sysconfig  # Here for the sake of a quick --help.

    return (str(Path(__file__).parents[1]), *map(sysconfig.get_path, ("stdlib", "purelib")))


def _successor(name: str | None) -> str:
    for gone, advice in SUCCESSORS.items():
        if f"{name}.".startswith(f"{gone}."):
            return f"; {advice}"
    return ""


def _place_in(name: str, folder: Path) -> str | None:
    """Return the file or folder, inside ``folder``, that the module of ``module:Class`` would come from."""
    module_name, colon, _ = name.rpartition(":")
    places: list[str] | None = [*sys.path, _working_folder() or ""]
    for part in module_name.split(".") if colon else ():
        try:
            spec = PathFinder.find_spec(part, places)
        except (ImportError, ValueError):  # As importing it will say.
            return None
        if spec is None:
            return None
        places = None if spec.submodule_search_locations is None else [*spec.submodule_search_locations]
        for place in [spec.origin] if spec.has_location and spec.origin else places or []:
            if Path(place).resolve().is_relative_to(folder):
                return place
        if places is None:
            return None
    return None


def _working_folder() -> str | None:
    try:
        return str(Path.cwd())
    except OSError:  # It was removed.
        return None
