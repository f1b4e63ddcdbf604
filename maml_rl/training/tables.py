"""Tables of numbers, one row per iteration; a run that goes on cuts them back to where it stood."""

import csv
import logging
import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maml_rl._system.files import write_atomically, writing
from maml_rl.errors import UsageError
from maml_rl.training.metrics import Metrics

logger = logging.getLogger(__name__)

Columns = Mapping[str, NDArray[np.float64]]


class CSVLogger:
    """One row per iteration, flushed as it is written. The first row fixes the columns.

    Args:
        rows: how many rows of a file that exists to keep; what is behind them goes.

    Raises:
        UsageError: the file cannot be written, or has fewer rows.
    """

    def __init__(self, path: Path, rows: int = 0):
        kept = _first_rows(path, rows) if rows else []
        write_atomically(path, lambda file: file.writelines(line.encode() for line in kept))
        self._path = path
        with writing(path):
            self._file = path.open("a", newline="", encoding="utf-8")
        self._columns = next(csv.reader(kept)) if kept else None
        self._warned = False

    def write(self, metrics: Metrics) -> None:
        """Append one row.

        Raises:
            UsageError: the file cannot be written to, the disk is full, or it has a column that is not given.
        """
        header = self._columns is None
        self._columns = self._columns or list(metrics)
        # What an environment told of other batches and not of this one is not known.
        untold = [name for name in self._columns if name.startswith("success_")]
        metrics = {**dict.fromkeys(untold, math.nan), **metrics}
        if missing := set(self._columns) - set(metrics):
            raise UsageError(
                f"'{self._path}' has columns that this version of maml_rl does not write "
                f"({', '.join(sorted(missing))}): finish the run with the version that began it"
            )
        self._warn_of(sorted(set(metrics) - set(self._columns)))
        with writing(self._path):
            writer = csv.DictWriter(self._file, self._columns, extrasaction="ignore", lineterminator="\n")
            if header:
                writer.writeheader()
            writer.writerow({key: _short(value) for key, value in metrics.items()})
            self._file.flush()

    def _warn_of(self, left_out: list[str]) -> None:
        """Say once what a run that an older version began does not record."""
        if left_out and not self._warned:
            self._warned = True
            logger.warning("'%s' keeps its columns; left out: %s", self._path, ", ".join(left_out))

    def sync(self) -> None:
        """Have the rows survive a power cut."""
        with writing(self._path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        with writing(self._path):
            self._file.close()


def _first_rows(path: Path, rows: int) -> list[str]:
    """Return the header and the first ``rows`` lines behind it."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)[: rows + 1]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read '{path}': {getattr(error, 'strerror', None) or error}") from None
    if len(lines) <= rows or not lines[-1].endswith("\n"):
        raise UsageError(f"'{path}' has fewer rows than the {rows} meta-updates of the checkpoint")
    return lines


def read_columns(path: Path, needed: Collection[str]) -> Columns:
    """Read a table that `CSVLogger` wrote.

    Raises:
        UsageError: the file is missing, no table of numbers, lacks a ``needed`` column or has no row yet.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        columns = {key: np.array([float(row[key]) for row in rows]) for first in rows[:1] for key in first}
        if rows and (missing := set(needed) - columns.keys()):
            raise ValueError(missing)
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from None
    except (ValueError, TypeError, csv.Error):
        raise UsageError(f"'{path}' is not a table of metrics, as 'maml-rl train' writes it") from None
    if not rows:
        raise UsageError(f"'{path}' has no row: the run has not made a meta-update yet")
    return columns


def _short(value: float | int | bool) -> str | int:
    return f"{value:.6g}" if isinstance(value, float) else int(value)
