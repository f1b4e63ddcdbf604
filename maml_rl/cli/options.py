"""Options that commands which read a config share."""

import argparse
import dataclasses
import json
import logging
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypeVar, cast

import tyro
from tyro.constructors import ConstructorRegistry, PrimitiveConstructorSpec, PrimitiveTypeInfo

from maml_rl._system.yaml_file import parse_yaml
from maml_rl.config import Config, config_class, load_config, parse_config
from maml_rl.config.block import kebab, one_line
from maml_rl.config.methods import DEFAULT_METHOD
from maml_rl.errors import UsageError, printable, shown
from maml_rl.zoo import policy_folder

if TYPE_CHECKING:
    from maml_rl.samplers.backends.ray_cluster import RayCluster

logger = logging.getLogger(__name__)
T = TypeVar("T")
SamplerName = Literal["processes", "ray"]
registry = ConstructorRegistry()
"""Rules for tyro to parse what is particular to configs."""


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


@registry.primitive_rule
def _list(info: PrimitiveTypeInfo) -> PrimitiveConstructorSpec[list[Any]] | None:
    """A list of tasks is one argument, the file that holds it: ``--tasks tasks.yaml``."""
    if info.type_origin is not list:
        return None
    return PrimitiveConstructorSpec(
        nargs=1,
        metavar="FILE",
        instance_from_str=lambda arguments: cast(Any, arguments[0]),  # It is read with the config.
        is_instance=lambda value: isinstance(value, list),
        str_from_instance=lambda value: [json.dumps(value)],
    )


def _parse_mapping(arguments: list[str]) -> dict[str, Any]:
    wanted = "expected a mapping such as '{low: 0, high: 2}'"
    try:
        value = parse_yaml(arguments[0])
    except ValueError as error:
        quote = "; a name with brackets needs quotes: '{\"a[0]\": 1}'" if "[" in arguments[0] else ""
        raise ValueError(f"{wanted}: {error}{quote}") from None
    if not isinstance(value, dict):
        raise ValueError(f"{wanted}, got {shown(arguments[0])}")
    return value


class Origin(NamedTuple):
    """The config that gives the options their names and values.

    Args:
        kind: the class of the config, which says what keys there are.
        config: the values; None if no file was named.
        ships: whether it is that of a policy that ships with maml_rl.
    """

    kind: type[Config]
    config: Config | None
    ships: bool = False


def with_config(command: type[T], origin: Origin, **changes: Any) -> T:
    """Return a command with the keys of a config as its ``hyperparameters``, at the config's values.

    A key that the command has an option of its own for stays as it is in the config.

    Args:
        changes: values in place of the config's.
    """
    own = {field.name for field in dataclasses.fields(command)}  # type: ignore[arg-type]
    if origin.config is None:
        values = {"env_name": tyro.MISSING, "metalearner": origin.kind.model_fields["metalearner"].default}
    else:
        values = {name: getattr(origin.config, name) for name in origin.kind.model_fields}
    options = _config_options([(n, f) for n, f in origin.kind.model_fields.items() if n not in own])
    shown = options(**{n: v for n, v in (values | changes).items() if n not in own})
    fixed = {name: value for name, value in values.items() if name in own}
    options.before = (origin.kind, vars(shown), fixed)  # type: ignore[attr-defined]
    without_prefix: Any = tyro.conf.OmitArgPrefixes
    kind: Any = dataclasses.make_dataclass(
        command.__name__, [("hyperparameters", without_prefix[options])], bases=(command,)
    )
    # Where help texts are looked for.
    kind.__module__, kind.__doc__ = command.__module__, command.__doc__
    made: T = kind(shown)
    return made


def _config_options(keys: Iterable[tuple[str, Any]]) -> type:
    """Return a dataclass with one field per key of a config: its type and its help, but no checks.

    The checks are `parse_config`'s, so that a wrong value reads the same from a file and from here.
    """
    fields: list[Any] = []
    for name, field in keys:
        annotation = Annotated[field.annotation, tyro.conf.arg(help=one_line(field.description))]  # type: ignore[name-defined]
        default: Any = dataclasses.field()
        if not field.is_required():
            default = dataclasses.field(default_factory=field.get_default)
        fields.append((name, annotation, default))
    return dataclasses.make_dataclass("ConfigOptions", fields, kw_only=True)


def config_from(options: Any) -> Config:
    """Validate the options.

    Raises:
        UsageError: a value is out of range.
    """
    kind, shown, fixed = options.before
    base = {kebab(name): value for name, value in (shown | fixed).items()}
    typed = {kebab(name): value for name, value in vars(options).items() if value != shown[name]}
    return parse_config(kind.chosen_over(base, typed), "command line")


def config_origin(arguments: Sequence[str]) -> Origin:
    """Load the config that ``--config``, ``--resume`` or a shipped ``--policy`` names, ahead of the parse.

    Its values are the defaults of the options; ``--metalearner`` decides which options there are.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    for option, kind in (("config", Path), ("policy", Path), ("metalearner", str)):
        parser.add_argument(f"--{option}", type=kind)
    parser.add_argument("--resume", type=Path, nargs="?")  # A folder of train; a flag of test.
    try:
        named = parser.parse_known_args(list(arguments))[0]
    except argparse.ArgumentError:  # "--config" without a value: the full parse says so.
        return Origin(config_class(DEFAULT_METHOD), None)
    shipped = named.policy and policy_folder(named.policy)
    run = named.resume or shipped
    if named.config is None and run is not None:
        named.config = run / "config.json"
    if named.config is None:
        tests = [*arguments[:1]] == ["test"]  # Elsewhere a policy is a kind of policy.
        if tests and named.policy and (beside := named.policy.parent / "config.json").exists():
            raise UsageError(f"'{named.policy}' needs the config that it was trained with: --config {beside}")
        return Origin(config_class(named.metalearner or DEFAULT_METHOD), None)
    lenient = arguments[0] == "test"  # A file of 2020's forks is to be tested as it is, not trained with.
    config, of_a_run = load_config(named.config, named.metalearner, lenient=lenient)
    if of_a_run and named.config.suffix != ".json":  # Written by hand, and so meant.
        options = printable(" ".join(f"--{key} {value}" for key, value in of_a_run.items()))
        logger.warning("'%s': what is of a run and not of a config is passed over: %s", named.config, options)
    return Origin(type(config), config, shipped is not None)


def run_and_place(name: Path) -> tuple[Path, Path]:
    """Return the folder of a run and where its pictures go: there too, but here for one that ships.

    Args:
        name: the folder itself, or ``maml-rl://NAME``.

    Raises:
        UsageError: no policy of that name ships.
    """
    shipped = policy_folder(name)
    return (name, name) if shipped is None else (shipped, Path())


def check_free(path: Path, overwrite: bool) -> None:
    """Check that a file may be written to ``path``, before what it will hold is computed.

    Args:
        overwrite: whether a file that is there may be replaced.

    Raises:
        UsageError: there is a file that may not, or a folder; or no file can have that name.
    """
    from maml_rl._system.files import writing

    with writing(path):  # A name may be longer than any file's can be.
        if path.is_dir():
            raise UsageError(f"'{path}' is a folder: expected the name of a file")
        if path.exists() and not overwrite:
            raise UsageError(f"'{path}' exists: choose another --output, or pass --overwrite")


def ray_cluster(sampler: SamplerName, address: str | None, verbose: bool = False) -> "RayCluster | None":
    """Return the cluster that ``--sampler`` and ``--ray-address`` name; None for processes.

    Raises:
        UsageError: the options do not belong together, Ray is not installed, or the address is none.
    """
    if sampler == "ray":
        from maml_rl.samplers.backends.ray_cluster import RayCluster

        return RayCluster(address, verbose)
    if address is not None:
        raise UsageError("--ray-address needs --sampler ray")
    return None
