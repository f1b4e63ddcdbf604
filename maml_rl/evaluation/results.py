"""Results of a test of adaptation: returns and rates of success after 0, 1, 2, … steps."""

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maml_rl._system.files import write_atomically
from maml_rl.evaluation.task_arrays import task_arrays
from maml_rl.statistics import bootstrap_interval, interquartile_mean, mean, standard_error


class Summary(NamedTuple):
    """Returns after a number of gradient steps, averaged over each task's episodes, then over tasks."""

    gradient_steps: int
    step_size: float | None
    """Size of the last step; None before the first."""
    mean: float
    standard_error: float
    interval: tuple[float, float]
    """95 % bootstrap interval of the mean, over tasks."""
    interquartile_mean: float
    interquartile_interval: tuple[float, float]
    success: float | None = None
    """Rate of episodes that succeeded, where the environment tells."""
    success_interval: tuple[float, float] | None = None
    """95 % bootstrap interval of the rate, over tasks."""


class BatchNumbers(NamedTuple):
    """What adaptation to a batch of tasks came to.

    Args:
        returns: undiscounted, ``[steps + 1, tasks, K]``.
        successes: 1 for each episode that succeeded at some step, else 0; None if nothing is told of it.
    """

    returns: NDArray[np.float32]
    successes: NDArray[np.float32] | None


class AdaptedBatch(NamedTuple):
    """A batch of tasks and its `BatchNumbers`."""

    tasks: list[Any]
    returns: NDArray[np.float32]
    successes: NDArray[np.float32] | None


@dataclass(frozen=True)
class AdaptationResults:
    """Returns of every evaluation episode.

    Args:
        returns: undiscounted, ``[steps + 1, tasks, K]``; row ``i`` is after ``i`` gradient steps.
        tasks: of the environment, mostly dicts.
        step_sizes: of the gradient steps; NaN for steps that have no size, as those of a memory.
        seed: of tasks and episodes.
        successes: 1 for each episode that succeeded at some step, else 0, in the shape of ``returns``; None
            if the environment does not tell.
    """

    returns: NDArray[np.float32]
    tasks: list[Any]
    step_sizes: tuple[float, ...]
    seed: int
    successes: NDArray[np.float32] | None = None

    @property
    def means(self) -> NDArray[np.float32]:
        """Mean return after each number of steps, ``[steps + 1]``."""
        means: NDArray[np.float32] = self.returns.mean((1, 2))
        return means

    @property
    def standard_errors(self) -> NDArray[np.float32]:
        """Standard error over tasks of `means` (NaN for a single task), ``[steps + 1]``."""
        errors: NDArray[np.float32] = standard_error(self.returns.mean(2))
        return errors

    def summary(self) -> list["Summary"]:
        """Return what tables and pictures show, one entry per number of gradient steps."""
        return [self._summary_after(step) for step in range(len(self.returns))]

    def _summary_after(self, step: int) -> "Summary":
        values = self.returns[step].mean(1).astype(np.float64)
        summary = Summary(
            step,
            None if step == 0 or isnan(self.step_sizes[step - 1]) else self.step_sizes[step - 1],
            float(mean(values)),
            float(self.standard_errors[step]),
            bootstrap_interval(values, mean),
            float(interquartile_mean(values)),
            bootstrap_interval(values, interquartile_mean),
        )
        if self.successes is None:
            return summary
        rates = self.successes[step].mean(1).astype(np.float64)
        return summary._replace(success=float(mean(rates)), success_interval=bootstrap_interval(rates, mean))

    def save(self, path: Path) -> None:
        """Write the results as plain arrays, which `numpy.load` opens with ``allow_pickle=False``.

        They are the fields, ``train_returns`` and ``valid_returns`` (before and after all steps,
        ``[tasks, K]``), and the tasks, see `task_arrays`.
        """
        write_atomically(
            path,
            lambda file: np.savez(
                file,
                allow_pickle=False,
                train_returns=self.returns[0],
                valid_returns=self.returns[-1],
                returns=self.returns,
                step_sizes=np.asarray(self.step_sizes),
                seed=self.seed,
                **({} if self.successes is None else {"successes": self.successes}),
                **task_arrays(self.tasks),
            ),
        )


COLUMNS = (
    *("policy", "gradient_steps", "step_size", "tasks", "episodes", "mean_return", "standard_error"),
    *("mean_low", "mean_high", "interquartile_mean", "iqm_low", "iqm_high"),
)
SUCCESS_COLUMNS = ("success", "success_low", "success_high")


def write_csv(path: Path, results: Mapping[str, AdaptationResults]) -> None:
    """Write one row per policy and number of gradient steps; ``low`` and ``high`` bound 95 % intervals.

    Rates of success follow where the environment tells them.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    succeeding = all(result.successes is not None for result in results.values())
    writer.writerow([*COLUMNS, *(SUCCESS_COLUMNS if succeeding else ())])
    for policy, result in results.items():
        _, tasks, episodes = result.returns.shape
        for row in result.summary():
            numbers = [row.mean, row.standard_error, *row.interval]
            numbers += [row.interquartile_mean, *row.interquartile_interval]
            if row.success is not None and row.success_interval is not None:
                numbers += [row.success, *row.success_interval]
            size = "" if row.step_size is None else f"{row.step_size:g}"
            writer.writerow(
                [policy, row.gradient_steps, size, tasks, episodes, *(f"{x:.6g}" for x in numbers)]
            )
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))
