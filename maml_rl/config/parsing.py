"""Configs from files and command lines: read, checked as one, and one line for what is wrong."""

import logging
from collections import Counter
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from maml_rl._system.own_code import check_origin
from maml_rl._system.yaml_file import read_yaml
from maml_rl.config.block import kebab
from maml_rl.config.methods import DEFAULT_METHOD, methods_with
from maml_rl.config.shared import RUN_KEYS, Config, config_class
from maml_rl.config.synonyms import key_elsewhere
from maml_rl.errors import LONGEST_NAME, UsageError, did_you_mean, printable, shown

logger = logging.getLogger(__name__)
RUN_CONFIG = "config.json"
"""The config that a run leaves in its folder."""
FEW_FAULTS = 5
"""Wrong values that a message lists."""
NAMES_OF_CODE = ("env-name", "policy", "metalearner", "baseline")
"""Keys whose values may be ``package.module:Class``."""
MAPPINGS = ("env-kwargs", "policy-kwargs", "task-space")
TASK_LISTS = ("tasks", "test-tasks")
"""Keys whose values are lists, or files that hold one; in a config, as seen from its folder."""


def parse_config(entries: dict[str, Any], source: str) -> Config:
    """Validate ``entries`` (dashed keys; those of a 2020 ``config.json`` too) that came from ``source``.

    Raises:
        UsageError: an unknown key, a missing one, one that is there twice, or a value out of range.
    """
    if twice := [key for key, times in Counter(kebab(str(key)) for key in entries).items() if times > 1]:
        raise UsageError(f"{source}: {shown(twice[0])} is given twice, with a dash and with an underscore")
    given = {kebab(str(key)): value for key, value in entries.items()}
    options = {key: value for key, value in given.items() if key not in RUN_KEYS}
    for key in (*MAPPINGS, *TASK_LISTS):
        if options.get(key, ...) is None:  # YAML's "env-kwargs:" with nothing behind it
            del options[key]
    for key in TASK_LISTS:
        if isinstance(options.get(key), str):
            options[key] = read_tasks(Path(options[key]))
    kind = _class_of(options, source)
    known = {kebab(name) for name in kind.model_fields}
    for key in sorted(options.keys() - known):
        if others := methods_with(key.replace("-", "_")):
            method = options.get("metalearner", DEFAULT_METHOD)
            raise UsageError(
                f"{source}: {method} has no key {shown(key)}; methods that have it: {', '.join(others)}"
            )
        raise UsageError(f"{source}: unknown key {shown(key)}{_hint(key, known)}")
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        raise UsageError(f"{source}: {describe(error)}") from None


def _hint(key: str, known: Collection[str]) -> str:
    if there := key_elsewhere(key, known):
        return f"; did you mean '{there}'?"
    return did_you_mean(key, known, "; 'maml-rl train --help' lists the keys")


def _class_of(options: Mapping[str, Any], source: str) -> type[Config]:
    name = options.get("metalearner", DEFAULT_METHOD)
    if not isinstance(name, str):
        raise UsageError(f"{source}: 'metalearner': expected the name of a method, got {shown(name)}")
    try:
        return config_class(name)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None


def describe(error: ValidationError) -> str:
    """Say in one line which keys are wrong, what was given and what is expected."""
    lines = []
    for problem in error.errors()[:FEW_FAULTS]:
        if not problem["loc"]:  # Of keys that do not go together, which the message names.
            lines.append(problem["msg"].removeprefix("Value error, "))
            continue
        key = ".".join(kebab(str(part)[:LONGEST_NAME]) for part in problem["loc"])
        got = "" if problem["type"] == "missing" else f", got {shown(problem['input'])}"
        said = (
            "expected a list"
            if problem["type"] == "tuple_type"
            else problem["msg"].removeprefix("Value error, ").lower()
        )
        lines.append(f"'{key}': {said}{got}")
    if (more := error.error_count() - len(lines)) > 0:
        lines.append(f"and {more} more")
    return "; ".join(lines)


def load_config(
    path: Path, metalearner: str | None = None, *, lenient: bool = False
) -> tuple[Config, dict[str, Any]]:
    """Read a YAML or JSON config; return it and the run keys (``seed``, ``num-workers``, …) beside it.

    Args:
        metalearner: a method in place of the file's.
        lenient: whether keys that nothing here has, and second spellings of a key, are passed over with a
            warning, as in the ``config.json`` of 2020's forks.

    Raises:
        UsageError: the file is missing, unreadable, not a mapping, or not a valid config; or it is the
            config of a run, and names code in the run's folder (see `check_origin`).
    """
    if path.name == RUN_CONFIG and _is_missing(path):
        file, folder = shown(str(path)), shown(str(path.parent))
        raise UsageError(f"cannot read the config {file}: there is none; is {folder} the folder of a run?")
    entries = read_yaml(path, "config")
    if not isinstance(entries, dict):
        raise UsageError(f"{path}: expected a mapping of options, such as 'env-name: 2DNavigation-v0'")
    if path.name == RUN_CONFIG:
        for key, value in entries.items():
            if kebab(str(key)) in NAMES_OF_CODE and isinstance(value, str):
                check_origin(value, path.parent)
    if metalearner is not None:
        entries = {**entries, "metalearner": metalearner}
    if lenient:
        entries = _understood(entries, str(path))
    for key, value in entries.items():
        if kebab(str(key)) in TASK_LISTS and isinstance(value, str):
            entries[key] = str(path.parent / value)
    run = {kebab(str(k)): v for k, v in entries.items() if kebab(str(k)) in RUN_KEYS}
    return parse_config(entries, str(path)), run


def _is_missing(path: Path) -> bool:
    """Return whether there is no such file, for no other reason."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except (OSError, ValueError):  # As of a name that is too long, or has NUL: the reading will say.
        pass
    return False


def read_tasks(path: Path) -> list[Any]:
    """Return the tasks that a YAML or JSON file lists, as it has them.

    Raises:
        UsageError: it holds no list, or an empty one.
    """
    content = read_yaml(path, "tasks")
    if not isinstance(content, list) or not content:
        raise UsageError(f"{path}: expected a list of tasks, such as '- {{velocity: 0.5}}'")
    return content


def _understood(entries: Mapping[Any, Any], source: str) -> dict[str, Any]:
    """Return the entries that a config can have, one for each key, and warn of the others."""
    kind = _class_of({kebab(str(key)): value for key, value in entries.items()}, source)
    known = RUN_KEYS | {kebab(name) for name in kind.model_fields}
    taken: dict[str, Any] = {}
    others: list[str] = []
    # The scripts of 2020 read the dashed spelling.
    for key, value in sorted(entries.items(), key=lambda entry: "_" in str(entry[0])):
        name = kebab(str(key))
        if name in known and name not in taken:
            taken[name] = value
        else:
            others.append(str(key))
    if others:
        passed_over = shown(", ".join(others))
        logger.warning("%s: passed over, as nothing here reads it: %s", printable(source), passed_over)
    return taken
