"""Sweeps: settings of a config times seeds, each run in a folder of its own, and how far they have come."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from maml_rl._system.files import write_atomically
from maml_rl._system.yaml_dumper import dump_yaml
from maml_rl._system.yaml_file import parse_yaml
from maml_rl.config import RUN_KEYS, Config, load_config, parse_config
from maml_rl.errors import UsageError, shown
from maml_rl.training.checkpoints import changes, numbered
from maml_rl.training.folder import CHECKPOINTS, METRICS
from maml_rl.training.metrics import return_columns
from maml_rl.training.tables import read_columns

CONFIG_OF_SETTING = "config.yaml"
"""The config that all runs of a setting are begun with, in the setting's folder."""
LOG = "train.log"
"""What a run of a sweep prints, in its folder."""
MOST_SEEDS = 10_000
"""More seeds than anybody trains with."""


@dataclass(frozen=True)
class PlannedRun:
    """A run of a sweep.

    Args:
        name: of its folder, as seen from the sweep's: ``fast-lr=0.05/seed-1``.
        folder: where it trains.
        config: the file that it is begun with.
        num_batches: meta-updates that it is to make.
    """

    name: str
    folder: Path
    config: Path
    seed: int
    num_batches: int

    @property
    def options(self) -> list[str]:
        """The options of ``maml-rl train`` that begin the run or go on with it."""
        return [
            *("--config", str(self.config), "--seed", str(self.seed)),
            *("--output-folder", str(self.folder), "--resume-or-start"),
        ]

    @property
    def meta_updates(self) -> int | None:
        """Meta-updates that its newest checkpoint is behind; None if the run has not begun."""
        saved = numbered(self.folder / CHECKPOINTS)
        return int(saved[-1].stem) if saved else None

    @property
    def is_done(self) -> bool:
        """Whether it has made all its meta-updates."""
        return (self.meta_updates or 0) >= self.num_batches


def parse_seeds(text: str) -> list[int]:
    """Return the seeds that ``1-3,7`` stands for.

    Raises:
        UsageError: it is no such list, or has a seed twice.
    """
    wanted = f"seeds: expected numbers and ranges, as '1-5' or '1,3,7-9', got {shown(text)}"
    seeds: list[int] = []
    for part in text.split(","):
        ends = re.fullmatch(r"\s*(\d{1,18})(?:-(\d{1,18}))?\s*", part)
        if ends is None:
            raise UsageError(wanted)
        first, last = int(ends[1]), int(ends[2] or ends[1])
        if not 0 <= last - first < MOST_SEEDS:
            raise UsageError(wanted)
        seeds += range(first, last + 1)
    if len(set(seeds)) < len(seeds):
        raise UsageError(f"seeds: one is given twice: {shown(text)}")
    return seeds


def parse_settings(texts: Sequence[str]) -> dict[str, list[Any]]:
    """Return the values of each key that ``["fast-lr=0.05,0.1", …]`` stands for; values are YAML.

    Raises:
        UsageError: one is no such text, has a key of a run in place of a config's, or a key is given twice.
    """
    settings: dict[str, list[Any]] = {}
    for text in texts:
        key, equals, values = text.partition("=")
        key = key.strip().replace("_", "-")
        try:
            parsed = parse_yaml(f"[{values}]")
        except ValueError:
            parsed = None
        if not (key and equals and isinstance(parsed, list) and parsed):
            raise UsageError(f"set: expected KEY=VALUE,VALUE,... as 'fast-lr=0.05,0.1', got {shown(text)}")
        if key in RUN_KEYS:
            raise UsageError(f"set: '{key}' is no key of a config{' (use --seeds)' if key == 'seed' else ''}")
        if key in settings:
            raise UsageError(f"set: '{key}' is given twice; name all its values at once: {key}=VALUE,VALUE")
        settings[key] = parsed
    return settings


def plan(
    config: Path, settings: Mapping[str, Sequence[Any]], seeds: Sequence[int], folder: Path
) -> tuple[dict[Path, Config], list[PlannedRun]]:
    """Return the configs by the files that they belong in, and the runs, seed by seed.

    Raises:
        UsageError: a config is wrong, or two values of a key would have the same folder.
    """
    configs: dict[Path, Config] = {}
    for values in product(*settings.values()):
        chosen = dict(zip(settings, values, strict=True))
        file = folder / _name(chosen) / CONFIG_OF_SETTING
        if file in configs:
            raise UsageError(f"set: two settings would have the folder '{file.parent}'")
        base, _ = load_config(config, chosen.get("metalearner"))
        entries = base.chosen_over(base.to_dict(), chosen)
        configs[file] = parse_config(entries, _name(chosen) or str(config))
    runs = [
        PlannedRun(
            str((file.parent / f"seed-{seed}").relative_to(folder)),
            file.parent / f"seed-{seed}",
            file,
            seed,
            made.num_batches,
        )
        for seed in seeds
        for file, made in configs.items()
    ]
    return configs, runs


def write_configs(configs: Mapping[Path, Config]) -> None:
    """Write the config of each setting to its file.

    Raises:
        UsageError: a file cannot be written, or holds another config than a run could go on with.
    """
    for file, config in configs.items():
        if file.exists() and (differing := changes(load_config(file)[0].to_dict(), config.to_dict())):
            raise UsageError(
                f"'{file.parent}' holds runs of another config: {'; '.join(differing)}; "
                "choose another --output-folder"
            )
    for file, config in configs.items():
        _write(file, dump_yaml(config.to_dict()))


class RunProgress(NamedTuple):
    """How far a run of a sweep has come.

    Args:
        state: done, unfinished or not begun; or failed, where a process has just ended so.
        meta_updates: those that its newest checkpoint is behind.
        returns: mean returns of the last training batch before and after adaptation; None without one.
    """

    run: PlannedRun
    state: str
    meta_updates: int
    env_steps: int
    returns: tuple[float, float] | None


def progress_of(run: PlannedRun, failed: bool = False) -> RunProgress:
    """Return how far a run has come.

    Args:
        failed: whether its process has just ended with an error.
    """
    made = run.meta_updates
    state = "done" if run.is_done else "failed" if failed else "not begun" if made is None else "unfinished"
    if not made:
        return RunProgress(run, state, 0, 0, None)
    metrics = read_columns(run.folder / METRICS, ("env_steps", "return_0"))
    row = min(made, len(metrics["env_steps"])) - 1
    returns = [float(metrics[name][row]) for name in return_columns(metrics)]
    return RunProgress(run, state, made, int(metrics["env_steps"][row]), (returns[0], returns[-1]))


COLUMNS = (
    "run",
    "seed",
    "state",
    "meta_updates",
    "num_batches",
    "env_steps",
    "return_before",
    "return_after",
)


def write_progress(path: Path, progress: Sequence[RunProgress]) -> None:
    """Write a CSV file with one row per run."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(_cells(row) for row in progress)
    _write(path, text.getvalue())


def _write(path: Path, text: str) -> None:
    write_atomically(path, lambda file: file.write(text.encode()))


def _cells(row: RunProgress) -> Iterator[object]:
    yield from (row.run.name, row.run.seed, row.state, row.meta_updates, row.run.num_batches, row.env_steps)
    yield from ("", "") if row.returns is None else (f"{value:.6g}" for value in row.returns)


def _name(chosen: Mapping[str, Any]) -> str:
    """Return the name of the folder for the values of some keys: ``fast-lr=0.05,hidden-sizes=64_64``."""
    texts = {key: re.sub(r"[^\w.+-]+", "_", json.dumps(value)).strip("_") for key, value in chosen.items()}
    return ",".join(f"{key}={text}" for key, text in texts.items())
