"""The results of a test, as ``maml-rl test`` prints them."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from maml_rl.cli.whole_tables import print_whole

if TYPE_CHECKING:
    from maml_rl.evaluation import AdaptationResults

FIRST_THREE = (
    "first three: the rate that Meta-World's own evaluation would have after the last step; "
    "it counts fast successes more often than failures"
)


def print_table(results: Mapping[str, "AdaptationResults"]) -> None:
    """Print one row per policy and number of gradient steps, or episode of a trial."""
    from rich.table import Table
    from rich.text import Text

    _, tasks, episodes = next(iter(results.values())).returns.shape
    table = Table(title=f"return over {tasks} tasks, {episodes} episodes each")
    table.add_column("policy", no_wrap=True)
    succeeding = all(result.successes is not None for result in results.values())
    success = ("success",) if succeeding else ()
    of_trials = all(result.of_trials for result in results.values())
    rounds = ("episode",) if of_trials else ("steps", "step size")
    for column in (*rounds, "mean ± s.e.", "95 % interval", "IQM", *success):
        table.add_column(column, justify="right", no_wrap=True)
    for name, result in results.items():
        for row in result.summary():
            low, high = row.interval
            size = "" if row.step_size is None else f"{row.step_size:g}"
            table.add_row(
                "" if row.gradient_steps else Text(name),  # As it is: brackets would be markup.
                *([str(row.gradient_steps + 1)] if of_trials else [str(row.gradient_steps), size]),
                f"{row.mean:.2f} ± {row.standard_error:.2f}",
                f"{low:.2f} … {high:.2f}",
                f"{row.interquartile_mean:.2f}",
                *([f"{row.success:.1%}"] if succeeding else []),
            )
        table.add_section()
    print_whole(table)


def print_environments(results: Mapping[str, "AdaptationResults"]) -> None:
    """Print a row per policy and environment with rates of success, where tasks name their environments."""
    from rich.table import Table
    from rich.text import Text

    from maml_rl.evaluation.environments import by_environment, first_three_rates, have_environments

    if not have_environments(results):
        return
    rounds = len(next(iter(results.values())).returns)
    table = Table(title="rate of success by environment, with 95 % intervals over tasks")
    for column in ("policy", "environment"):
        table.add_column(column, no_wrap=True)
    steps = [f"{step} step{'s' * (step != 1)}" for step in range(rounds)]
    if all(result.of_trials for result in results.values()):
        steps = [f"episode {number}" for number in range(1, rounds + 1)]
    for column in ("tasks", *steps, "first three"):
        table.add_column(column, justify="right", no_wrap=True)
    for name, result in results.items():
        biased = first_three_rates(result, rounds - 1)
        for number, (environment, part) in enumerate(by_environment(result).items()):
            cells = [_rate(row.success, row.success_interval) for row in part.summary()]
            first = "" if math.isnan(biased[environment]) else f"{biased[environment]:.0%}"
            policy = "" if number else Text(name)
            table.add_row(policy, Text(environment), str(len(part.tasks)), *cells, first)
        table.add_section()
    print_whole(table)
    print(FIRST_THREE)


def _rate(rate: float | None, interval: tuple[float, float] | None) -> str:
    assert rate is not None
    assert interval is not None
    low, high = interval
    return f"{rate:.0%} ({low:.0%} … {high:.0%})"


def print_advice(results: Mapping[str, "AdaptationResults"]) -> None:
    """Say where steps after the first undo what it did, by more than twice the standard error."""
    for name, result in results.items():
        if result.of_trials:
            continue
        least = result.means + 2 * result.standard_errors
        falls = [step for step in range(2, len(least)) if least[step] < result.means[step - 1]]
        if falls:
            print(
                f"{name}: the return falls with step {falls[0]}; if later steps are too long, "
                "shorten them: --step-size-schedule 1 0.5"
            )
