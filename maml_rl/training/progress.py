"""What a person sees while a run goes on."""

from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from maml_rl.training.metrics import Iteration

Detail = Literal["quiet", "normal", "verbose"]

REJECTIONS = 10
HINT = (
    f"{REJECTIONS} steps in a row were rejected: the policy may have stopped exploring, or the batch may be "
    "too small for a direction; try a larger fast-batch-size or cg-damping, or a smaller fast-lr"
)


class ProgressReport:
    """A live bar on a terminal; one plain line per iteration elsewhere.

    Args:
        total: meta-updates of the whole run.
        done: those made before.
        detail: "quiet" says nothing but hints, "verbose" adds a line of all other metrics.
    """

    def __init__(self, total: int, done: int = 0, detail: Detail = "normal", console: Console | None = None):
        self._console = console or Console(soft_wrap=True)
        self._detail = detail
        self._live = self._console.is_terminal and detail != "quiet"
        self._progress = Progress(
            TextColumn("meta-update"),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeRemainingColumn(),
            TextColumn("{task.description}"),
            console=self._console,
            disable=not self._live,
        )
        self._total = total
        self._task = self._progress.add_task("", total=total, completed=done)
        self._rejected = 0

    def __enter__(self) -> "ProgressReport":
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def update(self, iteration: Iteration) -> None:
        """Show one iteration, and a hint when steps are rejected again and again."""
        self._rejected = 0 if iteration.metrics["accepted"] else self._rejected + 1
        line = self._line(iteration)
        if self._live:
            self._progress.update(self._task, advance=1, description=line)
        elif self._detail != "quiet":
            self._print(f"meta-update {iteration.number}/{self._total}  {line}")
        if self._detail == "verbose":
            self._print(f"  {_all_but_the_line(iteration)}")
        if self._rejected == REJECTIONS:
            self._print(HINT)

    def _line(self, iteration: Iteration) -> str:
        metrics, timings = iteration.metrics, iteration.timings
        before, after = iteration.returns[0], iteration.returns[-1]
        seconds = timings["seconds_sampling"] + timings["seconds_updating"]
        verdict = "accepted" if metrics["accepted"] else f"rejected ({self._rejected} in a row)"
        return (
            f"return before/after {before:.2f}/{after:.2f}  kl {metrics['kl']:.4f}  {verdict}  "
            f"{timings['steps_per_second']:,.0f} steps/s  {seconds:.1f} s"
        )

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)


def _all_but_the_line(iteration: Iteration) -> str:
    shown = {"iteration", "kl", "accepted", "steps_per_second"}
    rest = {**iteration.metrics, **iteration.timings}
    return "  ".join(f"{key} {value:.4g}" for key, value in rest.items() if key not in shown)
