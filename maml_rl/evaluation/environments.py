"""Rates of success of each environment, where tasks name theirs."""

from collections.abc import Mapping
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.several import environment_names
from maml_rl.evaluation.results import AdaptationResults

FIRST = 3
"""Episodes that the biased rate is made of, see `first_three_rate`."""


def have_environments(results: Mapping[str, AdaptationResults]) -> bool:
    """Return whether there are rates of success by environment: successes are told, and tasks name theirs."""
    return all(
        result.successes is not None and environment_names(result.tasks) is not None
        for result in results.values()
    )


def by_environment(result: AdaptationResults) -> dict[str, AdaptationResults]:
    """Return the results of each environment's tasks, in the order in which they come first."""
    names = environment_names(result.tasks) or []
    of_name: dict[str, list[int]] = {}
    for index, name in enumerate(names):
        of_name.setdefault(name, []).append(index)
    return {name: result.part(indices) for name, indices in of_name.items()}


def first_three_rates(result: AdaptationResults, step: int) -> dict[str, float]:
    """Return the biased rate of each environment after ``step`` gradient steps, see `first_three_rate`.

    It is the mean over the batches that the environment is in; NaN where a task has not three episodes.
    """
    names = environment_names(result.tasks)
    if names is None or result.successes is None or result.success_steps is None:
        return {}
    rates: dict[str, list[float]] = {name: [] for name in names}
    sizes = result.batch_sizes or (len(names),)
    for end, size in zip(accumulate(sizes), sizes, strict=True):
        batch = range(end - size, end)
        for name in dict.fromkeys(names[index] for index in batch):
            tasks = [index for index in batch if names[index] == name]
            rates[name].append(
                first_three_rate(result.successes[step, tasks], result.success_steps[step, tasks])
            )
    return {name: float(np.mean(of_batches)) for name, of_batches in rates.items()}


def first_three_rate(successes: NDArray[Any], steps: NDArray[Any]) -> float:
    """Return the rate of success among the three episodes of an environment that are over first.

    It is what ``metalearning_evaluation`` of metaworld 3.1.1 computes. All tasks of the environment run side
    by side, each one episode after another; an episode ends at its first success. Episodes that succeed are
    over sooner, and so count more often than those that fail.

    Args:
        successes: ``[tasks, K]``.
        steps: time steps up to the first success, or else to the end, ``[tasks, K]``.

    Returns:
        NaN if K is below 3: the first three may all be of one task.
    """
    if successes.shape[1] < FIRST:
        return float("nan")
    over = np.cumsum(steps, axis=1)
    # Where several are over at once, the package counts them in the order of the tasks.
    first = np.argsort(
        over.T.ravel() * len(over) + np.tile(np.arange(len(over)), over.shape[1]), kind="stable"
    )
    return float(successes.T.ravel()[first[:FIRST]].mean())
