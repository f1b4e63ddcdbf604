"""Results of a test of adaptation: returns and rates of success after 0, 1, 2, … steps."""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from math import isnan
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maml_rl._system.files import write_atomically
from maml_rl._system.reading import read_regular
from maml_rl.errors import UsageError
from maml_rl.evaluation.task_arrays import task_arrays, tasks_in
from maml_rl.statistics import bootstrap_interval, interquartile_mean, mean, standard_error

logger = logging.getLogger(__name__)
NO_RESULTS = "holds no results of 'maml-rl test --output'"


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
        success_steps: time steps up to each episode's first success, or else to its end.
    """

    returns: NDArray[np.float32]
    successes: NDArray[np.float32] | None
    success_steps: NDArray[np.int64]


class AdaptedBatch(NamedTuple):
    """A batch of tasks and its `BatchNumbers`."""

    tasks: list[Any]
    returns: NDArray[np.float32]
    successes: NDArray[np.float32] | None
    success_steps: NDArray[np.int64]


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
        success_steps: time steps up to each episode's first success, or else to its end, in the same shape;
            with ``successes`` alone.
        batch_sizes: of the batches that the tasks were in; one of all if not given.
        policy: digest of the policy's file, see `digest_of`; empty if it is not known.
    """

    returns: NDArray[np.float32]
    tasks: list[Any]
    step_sizes: tuple[float, ...]
    seed: int
    successes: NDArray[np.float32] | None = None
    success_steps: NDArray[np.int64] | None = None
    batch_sizes: tuple[int, ...] = ()
    policy: str = ""

    @classmethod
    def load(cls, path: Path) -> "AdaptationResults":
        """Read what `save` wrote; all tasks are one batch.

        Raises:
            UsageError: the file cannot be read, or holds something else.
        """
        arrays = read_results(path)
        try:
            return cls(
                arrays["returns"],
                tasks_in(arrays),
                tuple(map(float, arrays["step_sizes"])),
                int(arrays["seed"]),
                arrays.get("successes"),
                arrays.get("success_steps"),
                policy=str(arrays.get("policy", "")),
            )
        except (KeyError, TypeError, ValueError):
            raise UsageError(f"'{path}' {NO_RESULTS}") from None

    def part(self, chosen: Sequence[int]) -> "AdaptationResults":
        """Return the results of some of the tasks, as one batch."""
        return replace(
            self,
            returns=self.returns[:, chosen],
            tasks=[self.tasks[index] for index in chosen],
            successes=None if self.successes is None else self.successes[:, chosen],
            success_steps=None if self.success_steps is None else self.success_steps[:, chosen],
            batch_sizes=(),
        )

    @property
    def of_trials(self) -> bool:
        """Whether rounds are the episodes of a trial, between which no step of any size is taken."""
        return any(map(isnan, self.step_sizes))

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

    def _told(self) -> dict[str, NDArray[Any]]:
        told = {"successes": self.successes, "success_steps": self.success_steps}
        return {name: array for name, array in told.items() if array is not None}

    def save(self, path: Path) -> None:
        """Write the results as plain arrays, which `numpy.load` opens with ``allow_pickle=False``.

        They are the fields but for the batches' sizes, ``train_returns`` and ``valid_returns`` (before and
        after all steps, ``[tasks, K]``), and the tasks, see `task_arrays`.
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
                policy=self.policy,
                **self._told(),
                **task_arrays(self.tasks),
            ),
        )


def digest_of(policy: Path) -> str:
    """Return what tells the file of a policy from others.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return sha256(read_regular(policy)).hexdigest()
    except OSError as error:
        raise UsageError(f"cannot read '{policy}': {error.strerror or error}") from None


def check_policy(file: Path, tested: str, policy: Path) -> None:
    """Warn if the results in ``file`` are not of the policy beside them, which may have been trained since.

    Args:
        tested: digest of the policy that was tested; empty in results that do not say it, as older ones.
    """
    if tested and policy.exists() and digest_of(policy) != tested:
        logger.warning(
            "the results in '%s' are of another policy than '%s': test it again with "
            "maml-rl test --config %s --policy %s --output %s --overwrite",
            *(file, policy, policy.parent / "config.json", policy, file),
        )


def read_results(path: Path) -> dict[str, NDArray[Any]]:
    """Return the arrays that `AdaptationResults.save` wrote, by name; ``returns`` are finite.

    Raises:
        UsageError: the file cannot be read, or holds something else.
    """
    try:
        with np.load(io.BytesIO(read_regular(path)), allow_pickle=False) as file:
            arrays: dict[str, NDArray[Any]] = dict(file)
        returns = arrays["returns"]
        if returns.ndim != 3:
            raise ValueError
        finite = np.isfinite(returns).all()
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror or error}") from None
    except Exception:  # Of a file that is something else, NumPy raises all sorts.
        raise UsageError(f"'{path}' {NO_RESULTS}") from None
    if not finite:
        raise UsageError(f"'{path}' has returns that are not finite")
    return arrays
