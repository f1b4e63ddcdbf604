"""The folder of a run: ``config.json``, ``policy.th`` and ``metrics.csv``."""

import json
import os
from pathlib import Path
from typing import Any

from maml_rl import __version__
from maml_rl.config import Config
from maml_rl.errors import UsageError
from maml_rl.policies.base import Policy
from maml_rl.training.files import save_policy, write_atomically
from maml_rl.training.loggers import CSVLogger, Metrics

CONFIG, POLICY, METRICS = "config.json", "policy.th", "metrics.csv"


class RunFolder:
    """Claims ``path`` for a new run, and writes what comes of it. Nothing changes there before `open`.

    Raises:
        UsageError: the folder holds another run and ``overwrite`` is false.
    """

    def __init__(self, path: Path, overwrite: bool = False):
        self.path = path
        self._taken = [name for name in (CONFIG, POLICY, METRICS) if (path / name).exists()]
        if self._taken and not overwrite:
            raise UsageError(
                f"'{path}' holds another run ({', '.join(self._taken)}): "
                "choose another --output-folder, or pass --overwrite"
            )

    def open(self, config: Config, execution: dict[str, Any]) -> None:
        """Remove the run that is to be replaced; write the whole, effective config and how it is run.

        Args:
            execution: entries that the 2020 ``train.py`` added too: ``seed``, ``num_workers``, …

        Raises:
            UsageError: the folder cannot be made or written to.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder '{self.path}': {error.strerror}") from None
        if not os.access(self.path, os.W_OK):
            raise UsageError(f"cannot write to the folder '{self.path}'")
        for name in self._taken:
            (self.path / name).unlink()
        self._metrics = CSVLogger(self.path / METRICS)
        entries = {**config.to_dict(), **execution, "version": __version__}
        text = json.dumps(entries, indent=2) + "\n"
        write_atomically(self.path / CONFIG, lambda file: file.write(text.encode()))

    def write_iteration(self, policy: Policy, metrics: Metrics) -> None:
        """Save the policy and append a row of metrics."""
        save_policy(policy, self.path / POLICY)
        self._metrics.write(metrics)

    def close(self) -> None:
        """Close the metrics file."""
        self._metrics.close()
