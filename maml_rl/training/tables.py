"""Tables of numbers, one row per iteration; a run that goes on cuts them back to where it stood."""

import csv
import hashlib
import io
import logging
import math
import os
from collections.abc import Collection, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from maml_rl._system.files import sync, write_atomically, writing
from maml_rl._system.reading import read_regular
from maml_rl.errors import UsageError
from maml_rl.training.metrics import Metrics

logger = logging.getLogger(__name__)

Columns = Mapping[str, NDArray[np.float64]]


class CSVLogger:
    """One row per iteration, flushed as it is written. The first row fixes the columns.

    Args:
        rows: how many rows of a file that exists to keep; what is behind them goes.

    Raises:
        UsageError: the file cannot be written, or `first_rows` raises it.
    """

    def __init__(self, path: Path, rows: int = 0):
        kept = first_rows(path, rows).encode()
        write_atomically(path, lambda file: file.write(kept))
        self._path = path
        with writing(path):
            self._file = path.open("a", newline="", encoding="utf-8")
        self._digest = hashlib.sha256(kept)
        self._columns = columns_of(kept.decode()) if kept else None
        self._warned = False

    @property
    def sha256(self) -> str:
        """Digest of the header and all rows."""
        return self._digest.hexdigest()

    def write(self, metrics: Metrics) -> None:
        """Append one row.

        Raises:
            UsageError: the file cannot be written to, the disk is full, or it has a column that is not given;
                or it is no longer where it was opened.
        """
        header = self._columns is None
        self._columns = self._columns or list(metrics)
        # What an environment told of other batches and not of this one is not known.
        untold = [name for name in self._columns if name.startswith("success_")]
        metrics = {**dict.fromkeys(untold, math.nan), **metrics}
        check_columns(self._path, self._columns, metrics)
        self._warn_of(sorted(set(metrics) - set(self._columns)))
        text = io.StringIO()
        writer = csv.DictWriter(text, self._columns, extrasaction="ignore", lineterminator="\n")
        if header:
            writer.writeheader()
        writer.writerow({key: _short(value) for key, value in metrics.items()})
        self._check_place()
        with writing(self._path):
            self._file.write(text.getvalue())
            self._file.flush()
        self._digest.update(text.getvalue().encode())

    def _warn_of(self, left_out: list[str]) -> None:
        """Say once what a run that an older version began does not record."""
        if left_out and not self._warned:
            self._warned = True
            logger.warning("'%s' keeps its columns; left out: %s", self._path, ", ".join(left_out))

    def _check_place(self) -> None:
        try:
            found = os.path.samestat(self._path.stat(), os.fstat(self._file.fileno()))
        except OSError:
            found = False
        if not found:
            raise UsageError(
                f"'{self._path}' was moved, removed or replaced while the run wrote to it: "
                "go on with --resume, in the folder where it is now"
            )

    def sync(self) -> None:
        """Have the rows survive a power cut.

        Raises:
            UsageError: as `write`.
        """
        self._check_place()
        with writing(self._path):
            sync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        with writing(self._path):
            self._file.close()


def check_columns(path: Path, columns: Collection[str], known: Collection[str]) -> None:
    """Check that this version of maml_rl writes every one of a table's columns.

    Raises:
        UsageError: the table has others.
    """
    if missing := set(columns) - set(known):
        raise UsageError(
            f"'{path}' has columns that this version of maml_rl does not write "
            f"({', '.join(sorted(missing))}): it is damaged, "
            "or the run is of another version, which can finish it"
        )


def columns_of(rows: str) -> list[str]:
    """Return the names in the header of the rows; none if that is none."""
    try:
        return next(csv.reader(io.StringIO(rows)), [])
    except csv.Error:
        return []


def first_rows(path: Path, rows: int, sha256: str | None = None) -> str:
    """Return the header and the first ``rows`` rows of a table; nothing if that is none.

    Args:
        sha256: their digest, if it is known.

    Raises:
        UsageError: the file cannot be read, has fewer rows, or they are damaged.
    """
    if not rows:
        return ""
    try:
        lines = read_regular(path).decode().replace("\r\n", "\n").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"cannot read '{path}': {getattr(error, 'strerror', None) or error}") from None
    if len(lines) < rows + 2:  # The last line has no end, and is empty if the file is whole.
        raise UsageError(
            f"'{path}' has fewer rows than the {rows} meta-updates of the checkpoint; "
            "put a copy of it in its place"
        )
    text = "".join(f"{line}\n" for line in lines[: rows + 1])
    damage = _damage(lines[: rows + 1])
    if not damage and sha256 not in (None, hashlib.sha256(text.encode()).hexdigest()):
        damage = f"its first {rows} rows are not those that were written"
    if damage:
        raise UsageError(f"'{path}' is damaged: {damage}; put a copy of it in its place")
    return text


def _damage(lines: list[str]) -> str:
    """Say what is wrong with a table whose rows are numbered 1, 2, …; nothing if all is well."""
    header = columns_of(lines[0])
    if header[:1] != ["iteration"] or len(set(header)) < len(header):
        return "its header is no list of columns"
    for number, line in enumerate(lines[1:], start=1):
        row = line.split(",")
        try:
            whole = len(row) == len(header) and float(row[0]) == number
            [float(value) for value in row]
        except ValueError:
            whole = False
        if not whole:
            return f"row {number} is not {len(header)} numbers, the first of them {number}"
    return ""


def read_columns(path: Path, needed: Collection[str]) -> Columns:
    """Read a table that `CSVLogger` wrote, or is writing: a last row without an end is left out.

    Raises:
        UsageError: the file is missing, no table of numbers, lacks a ``needed`` column or has no row yet.
    """
    reason = ""
    try:
        text, end, torn = read_regular(path).decode().rpartition("\n")
        rows = list(csv.DictReader(io.StringIO(text + end, newline="")))
        columns = {key: np.array([float(row[key]) for row in rows]) for first in rows[:1] for key in first}
        if rows and (missing := set(needed) - columns.keys()):
            reason = f": it has no column {', '.join(sorted(missing))}"
            raise ValueError
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror}") from None
    except (ValueError, TypeError, csv.Error):
        raise UsageError(
            f"'{path}' is not a table of metrics, as 'maml-rl train' writes it{reason}"
        ) from None
    if torn:
        logger.warning("'%s': its last row has no end, and is left out: it is being written", path)
    if not rows:
        raise UsageError(f"'{path}' has no row: the run has not made a meta-update yet")
    return columns


def _short(value: float | int | bool) -> str | int:
    return f"{value:.6g}" if isinstance(value, float) else int(value)
