"""Progress of a test, as a person sees it."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from maml_rl.evaluation.results import AdaptedBatch


class BatchProgress:
    """A live bar on a terminal, which goes when the test is done; one plain line per batch elsewhere.

    Args:
        total: batches of all policies.
        quiet: says nothing.
    """

    def __init__(self, total: int, quiet: bool = False, console: Console | None = None):
        self._console = console or Console(soft_wrap=True)
        self._total, self._done, self._quiet = total, 0, quiet
        self._started = time.perf_counter()
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("batch"),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=quiet or not self._console.is_terminal,
            transient=True,
        )
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> "BatchProgress":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, policy: str, batch: AdaptedBatch) -> None:
        """Show one batch of a policy."""
        self._done += 1
        returns = " / ".join(f"{after.mean():.2f}" for after in batch.returns)
        line = f"{policy}  return after each step {returns}"
        self._progress.update(self._task, advance=1, description=line)
        if self._progress.disable and not self._quiet and self._total > 1:
            seconds = time.perf_counter() - self._started
            text = f"batch {self._done}/{self._total}  {line}  {seconds:.1f} s"
            self._console.print(text, markup=False, highlight=False)
