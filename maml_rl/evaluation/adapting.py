"""Adaptation to unseen tasks."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.envs import Task
from maml_rl.envs.task_space import Split
from maml_rl.episode import BatchEpisodes, get_returns, get_success_steps, get_successes
from maml_rl.errors import check_number
from maml_rl.evaluation.results import AdaptationResults, AdaptedBatch, BatchNumbers
from maml_rl.evaluation.task_arrays import task_text
from maml_rl.samplers import Recipe
from maml_rl.seeding import FIRST_EVALUATION
from maml_rl.training.run import Run


def step_scales(num_steps: int, schedule: Sequence[float] = ()) -> tuple[float, ...]:
    """Return the factor of each step's size: the schedule's entry, whose last one is repeated.

    Raises:
        UsageError: there are fewer than 0 steps, or a factor is negative.
    """
    check_number("num-steps", num_steps, 0)
    for factor in schedule:
        check_number("step-size-schedule", factor, 0)
    factors = [*schedule[:num_steps]] or [1.0]
    factors += [factors[-1]] * (num_steps - len(factors))
    return tuple(factors[:num_steps])


def evaluate(
    run: Run,
    theta: Float[Tensor, "P"],
    schedule: Sequence[float] = (),
    tasks: Sequence[Task] | None = None,
) -> AdaptationResults:
    """Adapt to the config's number of batches of unseen tasks, with its number of steps.

    Args:
        theta: the meta-parameters to adapt from.
        schedule: factors of the steps' size, see `step_scales`.
        tasks: to adapt to in place of drawn ones, as one batch.
    """
    scales = step_scales(run.config.num_steps, schedule)
    return gather(run, list(adapted_batches(run, theta, scales, evaluation_batches(run, tasks))), scales)


def adapted_batches(
    run: Run,
    theta: Float[Tensor, "P"],
    scales: Sequence[float],
    batches: Sequence[Sequence[Task]],
    done: Sequence[BatchNumbers] = (),
) -> Iterator[AdaptedBatch]:
    """Adapt to one batch of tasks after another.

    Args:
        scales: factors of the steps' size, see `step_scales`.
        batches: of tasks, see `evaluation_batches`.
        done: what the first batches came to, which are not sampled again.
    """
    for batch, tasks in enumerate(batches):
        if batch < len(done):
            yield AdaptedBatch([*tasks], *done[batch])
        else:
            rounds = sample_adaptation(run, theta, tasks, scales, batch)
            returns = np.stack([get_returns(episodes) for episodes in rounds])
            steps = np.stack([get_success_steps(episodes) for episodes in rounds])
            yield AdaptedBatch([*tasks], returns, _successes(rounds), steps)


def gather(run: Run, batches: Sequence[AdaptedBatch], scales: Sequence[float]) -> AdaptationResults:
    """Return the results of all ``batches``.

    Args:
        scales: factors of the steps' size that they were adapted with.
    """
    # Where the environment tells of some success, what it does not tell of is none.
    told = any(batch.successes is not None for batch in batches)
    counted = [np.zeros_like(x.returns) if x.successes is None else x.successes for x in batches]
    return AdaptationResults(
        np.concatenate([batch.returns for batch in batches], axis=1),
        [task for batch in batches for task in batch.tasks],
        tuple(run.learner.adaptation.step_size(scale) for scale in scales),
        run.sampler.seed,
        np.concatenate(counted, axis=1) if told else None,
        np.concatenate([batch.success_steps for batch in batches], axis=1) if told else None,
        tuple(len(batch.tasks) for batch in batches),
    )


def _successes(rounds: Sequence[Sequence[BatchEpisodes]]) -> NDArray[np.float32] | None:
    """Return successes ``[round, task, K]``; None if the environment tells of none."""
    found = get_successes([batch for episodes in rounds for batch in episodes])
    return None if found is None else found.reshape(len(rounds), -1, found.shape[-1])


def evaluation_batches(
    run: Run, tasks: Sequence[Task] | None = None, split: Split = "test"
) -> list[list[Task]]:
    """Return the config's number of batches of tasks.

    Args:
        tasks: to adapt to in place of drawn ones, as one batch.
        split: draw unseen tasks, or take those that are held out for tests, which are one batch; or draw
            those of training.
    """
    if tasks is None and split == "test":
        tasks = run.test_tasks or None
    if tasks is not None:
        return [[*tasks]]
    return [evaluation_tasks(run, batch, split) for batch in range(run.config.num_batches)]


def evaluation_tasks(run: Run, batch: int = 0, split: Split = "test") -> list[Task]:
    """Return the tasks of an evaluation batch: those that are held out for tests, or drawn ones."""
    held_out = run.test_tasks if split == "test" else []
    return held_out or run.sampler.sample_tasks(run.config.meta_batch_size, FIRST_EVALUATION + batch, split)


def are_seen(run: Run) -> bool:
    """Return whether all tasks of the first evaluation batch are among those that training draws from."""
    if not run.train_tasks:
        return False
    seen = {task_text(task) for task in run.train_tasks}
    return all(task_text(task) in seen for task in evaluation_tasks(run))


def sample_adaptation(
    run: Run, theta: Float[Tensor, "P"], tasks: Sequence[Task], scales: Sequence[float], batch: int = 0
) -> list[list[BatchEpisodes]]:
    """Return episodes after 0, 1, … steps of adaptation, ``[round][task]``.

    Args:
        scales: factors of the steps' size.
        batch: number of the evaluation batch.
    """
    return run.sampler.sample(tasks, theta, Recipe.of(run.config, scales), FIRST_EVALUATION + batch)
