"""Folders of runs, found below others and grouped by what they have in common."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from maml_rl._system.reading import read_regular
from maml_rl.config import Config, load_config
from maml_rl.training.folder import CONFIG, METRICS

NAMED_KEYS = 3
"""Keys that differ between runs and that their names have room for."""

logger = logging.getLogger(__name__)


class RunGroup(NamedTuple):
    """Runs of the same config, which differ in their seed alone."""

    config: Config
    folders: list[Path]


def run_folders(path: Path) -> list[Path]:
    """Return the folders of runs below ``path``, in order; ``path`` itself if it is one or has none below."""
    found = [] if (path / CONFIG).exists() else sorted(file.parent for file in path.rglob(CONFIG))
    return found or [path]


def learning_folders(path: Path) -> list[Path]:
    """Return the folders that `run_folders` does, but of several those alone whose metrics have a row.

    The others are told in a warning, unless none has a row.
    """
    folders = run_folders(path)
    learning = [folder for folder in folders if _has_row(folder / METRICS)]
    if not learning:
        return folders
    if without := [str(folder) for folder in folders if folder not in learning]:
        logger.warning("left out, for they have not made a meta-update yet: %s", ", ".join(without))
    return learning


def _has_row(table: Path) -> bool:
    if not table.exists():
        return False
    try:
        return read_regular(table).count(b"\n") > 1
    except OSError:
        return True  # Whoever reads the table says what is wrong with it.


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
