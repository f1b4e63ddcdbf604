"""Where the metrics of each iteration go."""

import csv
import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from maml_rl.errors import UsageError
from maml_rl.training.files import write_atomically, writing

Metrics = Mapping[str, float | int | bool]

REJECTIONS = 10
HINT = (
    f"{REJECTIONS} steps in a row were rejected: the policy may have stopped exploring, or the batch may be "
    "too small for a direction; try a larger fast-batch-size or cg-damping, or a smaller fast-lr"
)


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

    def write(self, metrics: Metrics) -> None:
        """Append one row.

        Raises:
            UsageError: the file cannot be written to, or the disk is full.
        """
        header = self._columns is None
        self._columns = self._columns or list(metrics)
        with writing(self._path):
            writer = csv.DictWriter(self._file, self._columns, lineterminator="\n")
            if header:
                writer.writeheader()
            writer.writerow({key: _short(value) for key, value in metrics.items()})
            self._file.flush()

    def sync(self) -> None:
        """Have the rows survive a power cut."""
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


class ProgressReport:
    """A live bar on a terminal; one plain line per iteration elsewhere.

    Args:
        total: meta-updates of the whole run.
        done: those made before.
    """

    def __init__(self, total: int, done: int = 0, console: Console | None = None):
        self._console = console or Console()
        self._progress = Progress(
            TextColumn("meta-update"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._total = total
        self._task = self._progress.add_task("", total=total, completed=done)
        self._rejected = 0

    def __enter__(self) -> "ProgressReport":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def update(self, metrics: Metrics) -> None:
        """Show one iteration, and a hint when steps are rejected again and again."""
        self._rejected = 0 if metrics["accepted"] else self._rejected + 1
        returns = [value for key, value in metrics.items() if key.startswith("return_")]
        seconds = metrics["seconds_sampling"] + metrics["seconds_updating"]
        verdict = "accepted" if metrics["accepted"] else f"rejected ({self._rejected} in a row)"
        line = (
            f"return before/after {returns[0]:.2f}/{returns[-1]:.2f}  kl {metrics['kl']:.4f}  "
            f"{verdict}  {seconds:.1f} s"
        )
        if self._console.is_terminal:
            self._progress.update(self._task, advance=1, description=line)
        else:
            print(f"meta-update {metrics['iteration']}/{self._total}  {line}", flush=True)
        if self._rejected == REJECTIONS:
            self._console.print(HINT)


def _short(value: float | int | bool) -> str | int:
    return f"{value:.6g}" if isinstance(value, float) else int(value)
