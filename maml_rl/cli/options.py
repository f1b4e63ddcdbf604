"""What every command that reads a config shares."""

import argparse
import dataclasses
import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from maml_rl.config import Config, load_config, parse_config
from maml_rl.shipped import policy_folder

logger = logging.getLogger(__name__)
registry = ConstructorRegistry()
"""How tyro parses what is particular to configs."""


@registry.primitive_rule
def _mapping(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[dict[str, Any]] | None:
    """A mapping is one argument, spelled as YAML: ``--env-kwargs '{low: 0, high: 2}'``."""
    if info.type_origin is not dict:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="YAML",
        instance_from_str=_parse_mapping,
        is_instance=lambda value: isinstance(value, dict),
        str_from_instance=lambda value: [json.dumps(value)],  # Which is YAML too.
    )


def _parse_mapping(arguments: list[str]) -> dict[str, Any]:
    import yaml

    try:
        value = yaml.safe_load(arguments[0])
    except yaml.YAMLError:
        value = None
    if not isinstance(value, dict):
        raise ValueError(f"expected a mapping such as '{{low: 0, high: 2}}', got {arguments[0]!r}")
    return value


def _config_options() -> type:
    """Return a dataclass with one field per key of the config: its type and its help, but no checks.

    The checks are `parse_config`'s, so that a wrong value reads the same from a file and from here.
    """
    fields: list[Any] = []
    for name, field in Config.model_fields.items():
        annotation = Annotated[field.annotation, tyro.conf.arg(help=field.description)]  # type: ignore[name-defined]
        default: Any = dataclasses.field()
        if not field.is_required():
            default = dataclasses.field(default_factory=field.get_default)
        fields.append((name, annotation, default))
    return dataclasses.make_dataclass("ConfigOptions", fields, kw_only=True)


ConfigOptions = _config_options()
"""The keys of the config as command-line options."""


def options_of(config: Config | None) -> Any:
    """Return the options that stand for ``config``; without one, those of an environment yet to be named."""
    if config is None:
        return ConfigOptions(env_name=tyro.MISSING)
    return ConfigOptions(**{name: getattr(config, name) for name in Config.model_fields})


def config_from(options: Any) -> Config:
    """Validate the options.

    Raises:
        UsageError: a value is out of range.
    """
    return parse_config(vars(options), "command line")


def config_named_in(arguments: Sequence[str]) -> Config | None:
    """Load the config that ``--config``, ``--resume`` or a shipped ``--policy`` names, ahead of the parse.

    Its values are the defaults of the options.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", type=Path)
    parser.add_argument("--resume", type=Path)
    parser.add_argument("--policy", type=Path)
    try:
        named = parser.parse_known_args(list(arguments))[0]
    except argparse.ArgumentError:  # "--config" without a value: the full parse says so.
        return None
    run = named.resume or (named.policy and policy_folder(named.policy))
    if named.config is None and run is not None:
        named.config = run / "config.json"
    if named.config is None:
        return None
    config, of_a_run = load_config(named.config)
    if of_a_run and named.config.suffix != ".json":  # Written by hand, and so meant.
        options = " ".join(f"--{key} {value}" for key, value in of_a_run.items())
        logger.warning("'%s': what is of a run and not of a config is passed over: %s", named.config, options)
    return config


def default_workers() -> int:
    """Return the number of processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
