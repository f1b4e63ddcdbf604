"""Where the metrics of each iteration go."""

import csv
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from maml_rl.errors import UsageError

Metrics = Mapping[str, float | int | bool]


class CSVLogger:
    """One row per iteration, flushed as it is written. The first row fixes the columns."""

    def __init__(self, path: Path):
        try:
            self._file = path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise UsageError(f"cannot write '{path}': {error.strerror}") from None
        self._writer: csv.DictWriter[str] | None = None

    def write(self, metrics: Metrics) -> None:
        """Append one row."""
        if self._writer is None:
            self._writer = csv.DictWriter(self._file, list(metrics))
            self._writer.writeheader()
        self._writer.writerow({key: _short(value) for key, value in metrics.items()})
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ProgressReport:
    """A live bar on a terminal; one plain line per iteration elsewhere."""

    def __init__(self, total: int, console: Console | None = None):
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
        self._task = self._progress.add_task("", total=total)

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
        """Show one iteration."""
        returns = [value for key, value in metrics.items() if key.startswith("return_")]
        seconds = metrics["seconds_sampling"] + metrics["seconds_updating"]
        line = (
            f"return before/after {returns[0]:.2f}/{returns[-1]:.2f}  kl {metrics['kl']:.4f}  "
            f"{'accepted' if metrics['accepted'] else 'rejected'}  {seconds:.1f} s"
        )
        if self._console.is_terminal:
            self._progress.update(self._task, advance=1, description=line)
        else:
            print(f"meta-update {metrics['iteration']}/{self._total}  {line}", flush=True)


def _short(value: float | int | bool) -> str | int:
    return f"{value:.6g}" if isinstance(value, float) else int(value)
