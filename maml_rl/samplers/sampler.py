"""Sampling episodes of tasks: draw tasks, cut them into work items, hand out futures."""

from collections.abc import Sequence
from concurrent.futures import Future
from types import TracebackType
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.envs import Task
from maml_rl.envs.task_space import Split, TaskSpace
from maml_rl.episode import BatchEpisodes
from maml_rl.errors import UsageError
from maml_rl.lazy import lazy_names
from maml_rl.samplers.backends.base import Backend
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.samplers.jobs import Futures, ItemJob, QuestionJob, Stopwatch
from maml_rl.samplers.plan import Arrays, Hold, Question, Recipe, WorkItem
from maml_rl.seeding import Purpose, integer_seed, seed_sequence


class Sampler:
    """Samples episodes of tasks, before and after adaptation. It knows no policy: theta comes with each call.

    Args:
        backend: does the work items.
        task_space: what tasks are drawn from.
        seed: of all random numbers.
        tasks_per_item: tasks that are rolled out together, as one batch of environments.
        held: whether episodes stay with the workers, for `ask`. What is told of them has no observations,
            actions and advantages.
    """

    def __init__(
        self,
        backend: Backend,
        task_space: TaskSpace,
        seed: int,
        tasks_per_item: int = 10,
        held: bool = False,
    ):
        self.seed = seed
        self._backend, self._task_space, self._tasks_per_item = backend, task_space, tasks_per_item
        self._held, self._batches = held, 0
        self._rounds: Futures = []
        self._jobs: list[ItemJob] = []
        self._closed = False
        self._adapting = Stopwatch()

    def sample_tasks(self, num_tasks: int, iteration: int, split: Split = "train") -> list[Task]:
        """Draw the tasks of ``iteration``."""
        seed = integer_seed(seed_sequence(self.seed, Purpose.TASKS, iteration=iteration))
        return self._task_space.sample(seed, num_tasks, split)

    def sample_async(
        self,
        tasks: Sequence[Task],
        theta: Float[Tensor, "P"],
        recipe: Recipe,
        iteration: int,
        device: torch.device | str = "cpu",
    ) -> Futures:
        """Start sampling from the meta-parameters ``theta``; return at once.

        Args:
            iteration: names the random streams.
            device: where the episodes' tensors shall live.

        Returns:
            ``[round][task]``, episodes before each adaptation step, and those after the last.

        Raises:
            RuntimeError: the sampler is closed.
            UsageError: theta is not of single precision.
        """
        if self._closed:
            raise RuntimeError("this sampler is closed: make a new one")
        if theta.dtype != torch.float32:
            kind = str(theta.dtype).removeprefix("torch.")
            raise UsageError(
                f"theta: expected float32, got {kind}: call torch.set_default_dtype(torch.float32) before "
                "the policy is made"
            )
        numbers = theta.detach().cpu().numpy().copy()
        rounds = [[EpisodesFuture() for _ in tasks] for _ in (*recipe.scales, None)]
        jobs = []
        self._batches += 1
        held = self._batches if self._held else 0
        for first in range(0, len(tasks), self._tasks_per_item):
            part = slice(first, first + self._tasks_per_item)
            item = WorkItem(self.seed, iteration, first, tasks[part], numbers, recipe, held)
            futures = [futures[part] for futures in rounds]
            jobs.append(ItemJob(item, futures, device, self._adapting))
            self._backend.submit(jobs[-1])
        if held:  # Others go when their futures do.
            self._rounds, self._jobs = rounds, jobs
        return rounds

    def ask(
        self, rounds: object, update: int, hold: Hold, question: str, arguments: tuple[Any, ...]
    ) -> list[Future[tuple[Arrays, ...]]]:
        """Put a question to the episodes that were sampled last; return each item's answer to come.

        Waits for the episodes.

        Args:
            rounds: what `sample_async` returned for them.
            update: a number for all questions that the same ``hold`` answers.
            hold: makes what answers, where the episodes are.
            arguments: arrays and numbers.

        Raises:
            ValueError: other episodes have been sampled since.
            WorkerError: a worker failed; the message holds its traceback.
        """
        if rounds is not self._rounds:
            raise ValueError(
                "workers hold the episodes that were sampled last: ask before others are sampled"
            )
        asked = []
        for job in self._jobs:
            job.wait()
            asked.append(QuestionJob(Question(job.work, update, hold, question, arguments), job))
            self._backend.submit(asked[-1])
        return [job.future for job in asked]

    def sample_wait(self, futures: Futures) -> list[list[BatchEpisodes]]:
        """Wait for the episodes of `sample_async`, ``[round][task]``.

        Raises:
            WorkerError: a worker failed; the message holds its traceback.
        """
        return [[future.result() for future in futures_of_round] for futures_of_round in futures]

    def sample(
        self, tasks: Sequence[Task], theta: Float[Tensor, "P"], recipe: Recipe, iteration: int
    ) -> list[list[BatchEpisodes]]:
        """Call `sample_async` and wait."""
        return self.sample_wait(self.sample_async(tasks, theta, recipe, iteration))

    @property
    def seconds_adapting(self) -> float:
        """Seconds that adaptation has taken so far, all workers together."""
        return self._adapting.total

    @property
    def restarts(self) -> int:
        """Number of workers that have been replaced so far."""
        return self._backend.restarts

    def close(self) -> None:
        """Stop the workers. Episodes not sampled yet fail; a second call does nothing."""
        if not self._closed:
            self._closed = True
            self._backend.close()

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


# The module of 2020 had these too.
__getattr__ = lazy_names(__name__, {}, gone={"make_env": "use maml_rl.envs.make_env, which makes one"})
