"""Progress of a run, as a person sees it."""

from typing import Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from maml_rl.metalearners.base import MetaLearner
from maml_rl.metalearners.columns import ACCEPTED
from maml_rl.training.metrics import Iteration

Detail = Literal["quiet", "normal", "verbose"]

REJECTIONS = 10
"""Updates that may be rejected one after another before the method's hint is shown."""


class ProgressReport:
    """A live bar on a terminal; one plain line per iteration elsewhere.

    Args:
        method: whose columns the metrics have.
        total: meta-updates of the whole run.
        done: those made before.
        detail: "quiet" says nothing but hints, "verbose" adds a line of all other metrics.
    """

    def __init__(
        self,
        method: type[MetaLearner],
        total: int,
        done: int = 0,
        detail: Detail = "normal",
        console: Console | None = None,
    ):
        self._method = method
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
        self._rejected = 0 if iteration.metrics.get(ACCEPTED, True) else self._rejected + 1
        line = self._line(iteration)
        if self._live:
            self._progress.update(self._task, advance=1, description=line)
        elif self._detail != "quiet":
            self._print(f"meta-update {iteration.number}/{self._total}  {line}")
        if self._detail == "verbose":
            self._print(f"  {self._rest(iteration)}")
        if self._rejected == REJECTIONS:
            self._print(f"{REJECTIONS} steps in a row were rejected: {self._method.rejection_hint}")

    def _line(self, iteration: Iteration) -> str:
        metrics, timings = iteration.metrics, iteration.timings
        before, after = iteration.returns[0], iteration.returns[-1]
        seconds = timings["seconds_sampling"] + timings["seconds_updating"]
        shown = [f"{name} {metrics[name]:.4f}" for name in self._method.headline]
        if ACCEPTED in metrics:
            shown.append("accepted" if metrics[ACCEPTED] else f"rejected ({self._rejected} in a row)")
        return "  ".join(
            [
                f"return before/after {before:.2f}/{after:.2f}",
                *shown,
                f"{timings['steps_per_second']:,.0f} steps/s",
                f"{seconds:.1f} s",
            ]
        )

    def _rest(self, iteration: Iteration) -> str:
        """Return what the line leaves out."""
        shown = {"iteration", "steps_per_second", ACCEPTED, *self._method.headline}
        rest = {**iteration.metrics, **iteration.timings}
        return "  ".join(f"{key} {value:.4g}" for key, value in rest.items() if key not in shown)

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False)
