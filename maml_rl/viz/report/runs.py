"""The runs of a report, from their folders."""

import logging
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from maml_rl.config import Config, load_config
from maml_rl.errors import UsageError, printable
from maml_rl.training.folder import CONFIG, METRICS, POLICY
from maml_rl.training.groups import NAMED_KEYS, differing_keys
from maml_rl.training.tables import Columns, read_columns
from maml_rl.viz.learning_curve import NEEDED, round_name
from maml_rl.viz.report.folders import without_folders

logger = logging.getLogger(__name__)
IN_NAMES = ("metalearner", "env-name")
"""Keys whose values say what they are of without the key."""


@dataclass(frozen=True)
class ReportedRun:
    """A run, as it is told of.

    Args:
        label: what sets it apart from the others.
        execution: what its config.json holds besides the config: ``seed``, ``version``, …
        metrics: None where they are not there.
    """

    label: str
    folder: Path
    config: Config
    execution: dict[str, Any]
    metrics: Columns | None

    @property
    def has_policy(self) -> bool:
        """Whether there is something to test."""
        return (self.folder / POLICY).exists()

    @property
    def meta_updates(self) -> int | None:
        """How many it has made; None if that is not known."""
        return None if self.metrics is None else int(self.metrics["iteration"][-1])

    @property
    def is_unfinished(self) -> bool:
        """Whether it has made fewer meta-updates than its config asks for."""
        return self.meta_updates is not None and self.meta_updates < self.config.num_batches

    def round_name(self, step: int) -> str:
        """Return how the episodes of a round are called: those of RL² follow one another in a trial."""
        return round_name(self.metrics or {}, step)


def read_runs(folders: Sequence[Path]) -> list[ReportedRun]:
    """Read runs, and warn of what is missing.

    Raises:
        UsageError: a folder holds no run, one without a meta-update, or metrics that are damaged.
    """
    loaded = [load_config(folder / CONFIG) for folder in folders]
    labels = run_labels(loaded, [folder.resolve().name for folder in folders])
    runs = [
        ReportedRun(label, folder, config, execution, _metrics(folder))
        for label, folder, (config, execution) in zip(labels, folders, loaded, strict=True)
    ]
    for run in runs:
        if run.is_unfinished:
            made = f"{run.meta_updates} of {run.config.num_batches} meta-updates"
            logger.warning("'%s' is unfinished: %s", run.folder, made)
    return runs


def _metrics(folder: Path) -> Columns | None:
    if (folder / METRICS).exists():
        return read_columns(folder / METRICS, NEEDED)
    if not (folder / POLICY).exists():
        raise UsageError(
            f"'{folder}' has neither {METRICS} nor {POLICY}: expected a folder of 'maml-rl train'"
        )
    logger.warning("'%s' has no %s: its learning curves are left out", folder, METRICS)
    return None


def run_labels(runs: Sequence[tuple[Config, dict[str, Any]]], names: Sequence[str]) -> list[str]:
    """Name each run by its method, what differs between the configs, and its seed.

    Args:
        runs: configs, and what is beside them in config.json.
        names: of their folders, for what differs in many keys, or in nothing.
    """
    keys = differing_keys([config for config, _ in runs])
    others = [key for key in keys if key not in IN_NAMES]
    labels = []
    for (config, execution), name in zip(runs, names, strict=True):
        values = without_folders(config.to_dict())
        parts = [values["metalearner"], *([values["env-name"]] if "env-name" in keys else [])]
        parts += [f"{key} {values[key]}" for key in others] if len(others) <= NAMED_KEYS else [name]
        parts += [f"seed {execution['seed']}"] if "seed" in execution else []
        labels.append(", ".join(map(str, parts)))
    labels = _told_apart(labels, names)
    return [printable(label) for label in _told_apart(labels, [str(i + 1) for i in range(len(labels))])]


def _told_apart(labels: Sequence[str], names: Sequence[str]) -> list[str]:
    times = Counter(labels)
    return [
        f"{label} ({name})" if times[label] > 1 else label for label, name in zip(labels, names, strict=True)
    ]
