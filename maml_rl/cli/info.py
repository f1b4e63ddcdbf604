"""``maml-rl info``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from maml_rl.cli.options import run_and_place


@dataclass
class Info:
    """Sum up a run: its config, how far it has come, its best result, and where the time went."""

    folder: tyro.conf.Positional[Path]
    """Output folder of 'maml-rl train', or maml-rl://NAME."""
    trust: bool = False
    """Import code that lies in the run's own folder, if its config names any."""

    def run(self) -> None:
        """Print the summary."""
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        from maml_rl.errors import printable
        from maml_rl.training.summary import summarise

        for title, entries in summarise(run_and_place(self.folder)[0]).items():
            table = Table(title=title, title_justify="left", box=None, show_header=False, min_width=40)
            for key, value in entries.items():
                table.add_row(f"  {key}", Text(printable(value)))  # As it is: brackets would be markup.
            Console(soft_wrap=True).print(table)
