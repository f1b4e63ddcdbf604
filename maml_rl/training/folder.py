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
    """Opens ``path`` for a new run, and writes what comes of it.

    Raises:
        UsageError: the folder holds another run and ``overwrite`` is false, or cannot be written to.
    """

    def __init__(self, path: Path, overwrite: bool = False):
        self.path = path
        taken = [name for name in (CONFIG, POLICY, METRICS) if (path / name).exists()]
        if taken and not overwrite:
            raise UsageError(
                f"'{path}' holds another run ({', '.join(taken)}): "
                "choose another --output-folder, or pass --overwrite"
            )
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"cannot make the folder '{path}': {error.strerror}") from None
        if not os.access(path, os.W_OK):
            raise UsageError(f"cannot write to the folder '{path}'")
        for name in taken:
            (path / name).unlink()
        self._metrics = CSVLogger(path / METRICS)

    def write_config(self, config: Config, execution: dict[str, Any]) -> None:
        """Write the whole, effective config, and beside it how it is run.

        Args:
            execution: entries that the 2020 ``train.py`` added too: ``seed``, ``num_workers``, …
        """
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
