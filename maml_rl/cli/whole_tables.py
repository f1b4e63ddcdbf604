"""Tables on the screen."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table


def print_whole(table: "Table") -> None:
    """Print a table as wide as it is: a number that is cut is another number."""
    from rich.console import Console

    console = Console()
    needed = console.measure(table, options=console.options.update(max_width=10_000)).maximum
    console.width = max(console.width, needed)
    console.print(table)
