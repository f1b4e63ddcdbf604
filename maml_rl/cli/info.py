"""``maml-rl info``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from maml_rl.cli.options import run_and_place
from maml_rl.errors import UsageError


@dataclass
class Info:
    """Sum up a run: its config, how far it has come, its best result, and where the time went."""

    folder: tyro.conf.Positional[Path | None] = None
    """Output folder of 'maml-rl train', or maml-rl://NAME."""
    system: bool = False
    """Print versions, processor, threads, OpenGL and extras instead, for a bug report: no path, no name."""
    trust: bool = False
    """Import code that lies in the run's own folder, if its config names any."""

    def run(self) -> None:
        """Print the summary.

        Raises:
            UsageError: neither or both of the things to tell of are given.
        """
        if (self.folder is None) != self.system:
            raise UsageError("info: expected the output folder of a run, or --system")
        if self.folder is not None:
            _print_summary(self.folder)
        else:
            _print_system()


def _print_summary(folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from maml_rl.errors import printable
    from maml_rl.training.summary import summarise

    for title, entries in summarise(run_and_place(folder)[0]).items():
        table = Table(title=title, title_justify="left", box=None, show_header=False, min_width=40)
        for key, value in entries.items():
            table.add_row(f"  {key}", Text(printable(value)))  # As it is: brackets would be markup.
        Console(soft_wrap=True).print(table)


def _print_system() -> None:
    from maml_rl.cli.system_report import system_report
    from maml_rl.errors import printable

    for name, told in system_report().items():
        print(f"{name}: {printable(told)}")
