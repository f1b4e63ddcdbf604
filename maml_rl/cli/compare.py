"""``maml-rl compare``."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from maml_rl.cli.options import check_free
from maml_rl.cli.whole_tables import print_whole

if TYPE_CHECKING:
    from maml_rl.evaluation.comparison import Comparison, ComparisonRow, Estimate


@dataclass
class Compare:
    """Compare methods, or settings of one, from the tests of several runs each.

    Runs that differ in their seed alone are one method. Every run needs a test on the same tasks:
    'maml-rl test --output' in its folder, with the same --seed.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Folders of runs, folders of such folders, or files of results beside the config.json of a run."""
    results: str = "results.npz"
    """Name of the file of results in each run's folder."""
    over: str | None = None
    """Method that the others are compared with, by the name that the table has; the first if not given."""
    num_steps: int = 1
    """Gradient steps after which improvement and performance profiles are drawn."""
    output: Path | None = None
    """Folder for comparison.csv, profiles.csv and comparison.png; nothing is written if not given."""
    overwrite: bool = False
    """Replace the output files."""
    trust: bool = False
    """Import code that lies in a run's own folder, if its config names any."""

    def run(self) -> None:
        """Print a table per family of tasks; write the tables and a picture if there is an ``output``."""
        from maml_rl.errors import UsageError, check_number
        from maml_rl.evaluation.comparison import rows_of_all
        from maml_rl.evaluation.run_results import comparisons, run_results

        if not self.runs:
            raise UsageError("compare: name at least one folder of runs")
        files = self._files()
        compared = comparisons(run_results(self.runs, self.results))
        reference = next(iter(compared[0].returns)) if self.over is None else self.over
        for comparison in compared:
            check_number("num-steps", self.num_steps, 0, comparison.num_steps)
            comparison.scores(reference, 0)
        rows = [comparison.rows(reference) for comparison in compared]
        rows += [rows_of_all(compared, reference)]
        for some in filter(None, rows):
            print_comparison(some)
        if files:
            self._write(compared, [row for some in rows for row in some], files)

    def _files(self) -> list[Path]:
        """Return the files to write.

        Raises:
            UsageError: one is there already and may not be replaced.
        """
        if self.output is None:
            return []
        files = [self.output / name for name in ("comparison.csv", "profiles.csv", "comparison.png")]
        for file in files:
            check_free(file, self.overwrite)
        return files

    def _write(
        self, compared: Sequence["Comparison"], rows: Sequence["ComparisonRow"], files: Sequence[Path]
    ) -> None:
        from maml_rl.evaluation.comparison import write_comparison, write_profiles
        from maml_rl.viz.comparison import plot_comparisons
        from maml_rl.viz.style import save_figure

        table, profiles, picture = files
        write_comparison(table, rows)
        write_profiles(profiles, compared, self.num_steps)
        save_figure(plot_comparisons(compared, rows[0].reference, self.num_steps), picture)
        for file in files:
            print(file)


def print_comparison(rows: Sequence["ComparisonRow"]) -> None:
    """Print the rows of one family of tasks."""
    from rich.table import Table
    from rich.text import Text

    first = rows[0]
    table = Table(
        title=Text(f"{first.task}: {first.scores_per_run} test tasks; 95 % intervals over runs"),
        caption=Text(f"P: probability of a larger return than that of {first.reference}"),
    )
    table.add_column("method")
    for column in ("runs", "steps", "mean return", "IQM", "P"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            "" if row.gradient_steps else Text(row.method),  # As it is: brackets would be markup.
            "" if row.gradient_steps else str(row.runs),
            str(row.gradient_steps),
            _shown(row.mean),
            _shown(row.interquartile_mean),
            "" if row.method == row.reference else _shown(row.improvement),
            end_section=row.gradient_steps == rows[-1].gradient_steps,
        )
    print_whole(table)
    if any(row.runs == 1 for row in rows):
        print("A method with one run has no interval: how runs differ is not known.")


def _shown(estimate: "Estimate") -> str:
    value, low, high = estimate
    if value != value:  # NaN is no number's equal.
        return ""
    bounds = "" if low != low else f" ({low:.2f} … {high:.2f})"
    return f"{value:.2f}{bounds}"
