"""Configs from files and command lines: read, checked as one, and one line for what is wrong."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from maml_rl._system.yaml_file import read_yaml
from maml_rl.config.block import kebab
from maml_rl.config.methods import DEFAULT_METHOD, methods_with
from maml_rl.config.shared import RUN_KEYS, Config, config_class
from maml_rl.errors import UsageError, did_you_mean


def parse_config(entries: dict[str, Any], source: str) -> Config:
    """Validate ``entries`` (dashed keys; those of a 2020 ``config.json`` too) that came from ``source``.

    Raises:
        UsageError: an unknown key, a missing one, one that is there twice, or a value out of range.
    """
    if twice := [key for key, times in Counter(kebab(str(key)) for key in entries).items() if times > 1]:
        raise UsageError(f"{source}: '{twice[0]}' is given twice, with a dash and with an underscore")
    given = {kebab(str(key)): value for key, value in entries.items()}
    options = {key: value for key, value in given.items() if key not in RUN_KEYS}
    for key in ("env-kwargs", "policy-kwargs"):
        if options.get(key, ...) is None:  # YAML's "env-kwargs:" with nothing behind it
            del options[key]
    kind = _class_of(options, source)
    known = {kebab(name) for name in kind.model_fields}
    for key in sorted(options.keys() - known):
        if others := methods_with(key.replace("-", "_")):
            method = options.get("metalearner", DEFAULT_METHOD)
            raise UsageError(
                f"{source}: {method} has no key '{key}'; methods that have it: {', '.join(others)}"
            )
        raise UsageError(f"{source}: unknown key '{key}'{did_you_mean(key, known)}")
    try:
        return kind.model_validate(options)
    except ValidationError as error:
        raise UsageError(f"{source}: {describe(error)}") from None


def _class_of(options: Mapping[str, Any], source: str) -> type[Config]:
    name = options.get("metalearner", DEFAULT_METHOD)
    if not isinstance(name, str):
        raise UsageError(f"{source}: 'metalearner': expected the name of a method, got {name!r}")
    try:
        return config_class(name)
    except UsageError as error:
        raise UsageError(f"{source}: {error}") from None


def describe(error: ValidationError) -> str:
    """Say in one line which keys are wrong, what was given and what is expected."""
    lines = []
    for problem in error.errors():
        key = ".".join(kebab(str(part)) for part in problem["loc"])
        got = "" if problem["type"] == "missing" else f", got {problem['input']!r}"
        lines.append(f"'{key}': {problem['msg'].lower()}{got}")
    return "; ".join(lines)


def load_config(path: Path, metalearner: str | None = None) -> tuple[Config, dict[str, Any]]:
    """Read a YAML or JSON config; return it and the run keys (``seed``, ``num-workers``, …) beside it.

    Args:
        metalearner: a method in place of the file's.

    Raises:
        UsageError: the file is missing, unreadable, not a mapping, or not a valid config.
    """
    entries = read_yaml(path, "config")
    if not isinstance(entries, dict):
        raise UsageError(f"{path}: expected a mapping of options, such as 'env-name: 2DNavigation-v0'")
    if metalearner is not None:
        entries = {**entries, "metalearner": metalearner}
    run = {kebab(str(k)): v for k, v in entries.items() if kebab(str(k)) in RUN_KEYS}
    return parse_config(entries, str(path)), run
