"""The numbers of a meta-update. Every name is explained in docs/metrics.md."""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

from maml_rl.metalearners.base import MetaState, Metrics

__all__ = ["TIMING_NAMES", "Iteration", "Metrics", "check_finite_metrics", "metric_names", "return_columns"]

TIMING_NAMES = (
    "iteration",
    "steps_per_second",
    "seconds_sampling",
    "seconds_adapting",
    "seconds_waiting",
    "seconds_updating",
    "worker_restarts",
)
"""The columns of timings."""


@dataclass(frozen=True)
class Iteration:
    """One meta-update in numbers.

    Args:
        metrics: what the config and the seed determine, to the bit.
        timings: what the machine had to do with it.
        state: what it left.
    """

    metrics: Metrics
    timings: Metrics
    state: MetaState

    @property
    def number(self) -> int:
        """Meta-updates so far, this one included."""
        return int(self.metrics["iteration"])

    @property
    def returns(self) -> tuple[float, ...]:
        """Mean return after 0, 1, … inner steps."""
        return tuple(float(self.metrics[name]) for name in return_columns(self.metrics))


def return_columns(names: Iterable[str]) -> list[str]:
    """Return those of mean returns after 0, 1, … steps; a method's own columns may begin alike."""
    found = {int(match[1]): name for name in names if (match := re.fullmatch(r"return_(\d+)", name))}
    return [found[step] for step in sorted(found)]


def metric_names(columns: Iterable[str], num_steps: int) -> frozenset[str]:
    """Return the names of all metrics that a run may have.

    Args:
        columns: the method's own.
        num_steps: inner steps.
    """
    kinds = ("return", "stderr", "success")
    of_rounds = {f"{kind}_{step}" for kind in kinds for step in range(num_steps + 1)}
    return frozenset({"iteration", "env_steps", *of_rounds, *columns})


def check_finite_metrics(metrics: Metrics) -> None:
    """Check that no number is infinite, and that every return is one; other NaNs are what is not known.

    Raises:
        FloatingPointError: the message names the metrics.
    """
    returns = return_columns(metrics)
    wrong = [n for n, value in metrics.items() if math.isinf(value) or (n in returns and math.isnan(value))]
    if wrong:
        raise FloatingPointError(
            f"{', '.join(wrong)}: NaN or infinite; look for huge rewards, or lower fast-lr"
        )
