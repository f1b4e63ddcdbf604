"""Folders of runs, found below others and grouped by what they have in common."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from maml_rl.config import Config, load_config
from maml_rl.errors import UsageError
from maml_rl.training.folder import CONFIG

logger = logging.getLogger(__name__)


class RunGroup(NamedTuple):
    """Runs of the same config, which differ in their seed alone."""

    config: Config
    folders: list[Path]


def run_folders(path: Path) -> list[Path]:
    """Return ``path`` if it is the folder of a run; otherwise the folders of runs below it, in order.

    Raises:
        UsageError: there is none.
    """
    if (path / CONFIG).exists():
        return [path]
    found = sorted(file.parent for file in path.rglob(CONFIG))
    if not found:
        raise UsageError(f"'{path}' is no folder of a run, and none lies below it: no {CONFIG} was found")
    return found


def grouped(folders: Sequence[Path]) -> list[RunGroup]:
    """Group runs of the same config, in the order of each group's first run.

    Raises:
        UsageError: a config cannot be read.
    """
    groups: list[RunGroup] = []
    for folder in folders:
        config, _ = load_config(folder / CONFIG)
        for group in groups:
            if group.config == config:
                group.folders.append(folder)
                break
        else:
            groups.append(RunGroup(config, [folder]))
    return groups


def differing_keys(configs: Sequence[Config]) -> list[str]:
    """Return the keys that all configs have, but not all with the same value.

    Left out are keys that are nowhere set, where only the defaults of methods differ.
    """
    values = [config.to_dict() for config in configs]
    chosen = [config.model_dump(by_alias=True, mode="json", exclude_defaults=True) for config in configs]
    return [
        key
        for key in values[0]
        if all(key in config for config in values)
        and any(config[key] != values[0][key] for config in values)
        and (key == "metalearner" or any(key in config for config in chosen))
    ]
