"""The results of a test, as ``maml-rl test`` prints them."""

from collections.abc import Mapping
from math import isnan
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from maml_rl.evaluation import AdaptationResults


def print_table(results: Mapping[str, "AdaptationResults"]) -> None:
    """Print one row per policy and number of gradient steps."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    _, tasks, episodes = next(iter(results.values())).returns.shape
    table = Table(title=f"return over {tasks} tasks, {episodes} episodes each")
    table.add_column("policy", no_wrap=True)
    succeeding = all(result.successes is not None for result in results.values())
    success = ("success",) if succeeding else ()
    for column in ("steps", "step size", "mean ± s.e.", "95 % interval", "IQM", *success):
        table.add_column(column, justify="right", no_wrap=True)
    for name, result in results.items():
        for row in result.summary():
            low, high = row.interval
            table.add_row(
                "" if row.gradient_steps else Text(name),  # As it is: brackets would be markup.
                str(row.gradient_steps),
                "" if row.step_size is None else f"{row.step_size:g}",
                f"{row.mean:.2f} ± {row.standard_error:.2f}",
                f"{low:.2f} … {high:.2f}",
                f"{row.interquartile_mean:.2f}",
                *([f"{row.success:.1%}"] if succeeding else []),
            )
        table.add_section()
    Console().print(table)


def print_advice(results: Mapping[str, "AdaptationResults"]) -> None:
    """Say where steps after the first undo what it did, by more than twice the standard error."""
    for name, result in results.items():
        if any(map(isnan, result.step_sizes)):
            continue
        least = result.means + 2 * result.standard_errors
        falls = [step for step in range(2, len(least)) if least[step] < result.means[step - 1]]
        if falls:
            print(
                f"{name}: the return falls with step {falls[0]}; if later steps are too long, "
                "shorten them: --step-size-schedule 1 0.5"
            )
