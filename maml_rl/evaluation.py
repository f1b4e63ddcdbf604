"""How well a policy adapts to unseen tasks: returns after 0, 1, 2, … gradient steps."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from maml_rl.config import Config
from maml_rl.envs import Task
from maml_rl.episode import BatchEpisodes, get_returns
from maml_rl.errors import check_number
from maml_rl.intervals import bootstrap_interval, interquartile_mean, mean, standard_error
from maml_rl.samplers import Sampler
from maml_rl.seeding import FIRST_EVALUATION
from maml_rl.training.files import write_atomically


class Summary(NamedTuple):
    """Returns after a number of gradient steps, averaged over each task's episodes, then over tasks."""

    gradient_steps: int
    step_size: float | None
    """Of the last of them; None before the first."""
    mean: float
    standard_error: float
    interval: tuple[float, float]
    """95 % bootstrap interval of the mean, over tasks."""
    interquartile_mean: float
    interquartile_interval: tuple[float, float]


@dataclass(frozen=True)
class AdaptationResults:
    """Returns of every evaluation episode.

    Args:
        returns: undiscounted, ``[steps + 1, tasks, K]``; row ``i`` is after ``i`` gradient steps.
        tasks: one dict per task.
        step_sizes: of the gradient steps.
        seed: of tasks and episodes.
    """

    returns: NDArray[np.float32]
    tasks: list[Task]
    step_sizes: tuple[float, ...]
    seed: int

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
        sizes = (None, *self.step_sizes)
        per_task = self.returns.mean(2).astype(np.float64)
        return [
            Summary(
                step,
                size,
                float(mean(values)),
                float(error),
                bootstrap_interval(values, mean),
                float(interquartile_mean(values)),
                bootstrap_interval(values, interquartile_mean),
            )
            for step, (size, values, error) in enumerate(
                zip(sizes, per_task, self.standard_errors, strict=True)
            )
        ]

    def save(self, path: Path) -> None:
        """Write the results as plain arrays, which `numpy.load` opens with ``allow_pickle=False``.

        They are the fields, ``train_returns`` and ``valid_returns`` (before and after all steps,
        ``[tasks, K]``), and ``task_<name>`` with one row per task for each entry of the tasks.
        """
        arrays = {f"task_{key}": np.stack([task[key] for task in self.tasks]) for key in self.tasks[0]}
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
                **arrays,
            ),
        )


def step_sizes(fast_lr: float, num_steps: int, schedule: Sequence[float] = ()) -> tuple[float, ...]:
    """Return the size of each step: ``fast_lr`` times the schedule's entry, whose last one is repeated.

    Raises:
        UsageError: there are fewer than 0 steps, or a factor is negative.
    """
    check_number("num-steps", num_steps, 0)
    for factor in schedule:
        check_number("step-size-schedule", factor, 0)
    factors = [*schedule[:num_steps]] or [1.0]
    factors += [factors[-1]] * (num_steps - len(factors))
    return tuple(fast_lr * factor for factor in factors[:num_steps])


def evaluate(
    sampler: Sampler,
    config: Config,
    schedule: Sequence[float] = (),
    tasks: Sequence[Task] | None = None,
) -> AdaptationResults:
    """Adapt to ``config.num_batches`` batches of unseen tasks with ``config.num_steps`` gradient steps.

    Args:
        schedule: factors of ``config.fast_lr``, see `step_sizes`.
        tasks: to adapt to in place of drawn ones, as one batch.
    """
    sizes = step_sizes(config.fast_lr, config.num_steps, schedule)
    adapted_to: list[Task] = []
    returns: list[NDArray[np.float32]] = []
    for batch in range(config.num_batches if tasks is None else 1):
        of_batch, rounds = sample_adaptation(sampler, config, sizes, batch, tasks)
        adapted_to += of_batch
        returns.append(np.stack([get_returns(episodes) for episodes in rounds]))
    return AdaptationResults(np.concatenate(returns, axis=1), adapted_to, sizes, sampler.seed)


def sample_adaptation(
    sampler: Sampler,
    config: Config,
    sizes: Sequence[float],
    batch: int = 0,
    tasks: Sequence[Task] | None = None,
) -> tuple[list[Task], list[list[BatchEpisodes]]]:
    """Draw the tasks of an evaluation batch, unless given; return them and episodes after 0, 1, … steps."""
    iteration = FIRST_EVALUATION + batch
    if tasks is None:
        tasks = sampler.sample_tasks(config.meta_batch_size, iteration=iteration)
    train, valid = sampler.sample(
        tasks,
        num_steps=len(sizes),
        fast_lr=tuple(sizes),
        iteration=iteration,
        **config.advantages(),
    )
    return list(tasks), [*train, valid]


COLUMNS = (
    *("policy", "gradient_steps", "step_size", "tasks", "episodes", "mean_return", "standard_error"),
    *("mean_low", "mean_high", "interquartile_mean", "iqm_low", "iqm_high"),
)


def write_csv(path: Path, results: Mapping[str, AdaptationResults]) -> None:
    """Write one row per policy and number of gradient steps; ``low`` and ``high`` bound 95 % intervals."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for policy, result in results.items():
        _, tasks, episodes = result.returns.shape
        for row in result.summary():
            numbers = [row.mean, row.standard_error, *row.interval]
            numbers += [row.interquartile_mean, *row.interquartile_interval]
            size = "" if row.step_size is None else f"{row.step_size:g}"
            writer.writerow(
                [policy, row.gradient_steps, size, tasks, episodes, *(f"{x:.6g}" for x in numbers)]
            )
    write_atomically(path, lambda file: file.write(text.getvalue().encode()))
