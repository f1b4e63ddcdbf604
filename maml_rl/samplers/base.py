"""What every sampler does: draw tasks, cut them into work items, hand out futures."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import torch

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import MeanOver
from maml_rl.envs import Task, make_env
from maml_rl.envs.making import find_spec
from maml_rl.episode import BatchEpisodes
from maml_rl.policies.base import Policy
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.samplers.jobs import Futures, Job, Tally
from maml_rl.samplers.worker import SamplerWorker, SamplingSettings, WorkItem
from maml_rl.seeding import Purpose, draw_seed, integer_seed, seed_sequence


class Sampler(ABC):
    """Samples episodes of tasks, before and after adaptation.

    Args:
        env_name: id of an environment with ``sample_tasks`` and ``reset_task``.
        env_kwargs: its keyword arguments.
        batch_size: episodes per task, K.
        policy: its parameters at the time of a call to `sample_async` are where tasks start from.
        baseline: of the advantages.
        env: an environment to draw tasks from; one is made if it is not given.
        seed: of all random numbers; drawn (see the attribute ``seed``) if it is not given.
        tasks_per_item: tasks that are rolled out together, as one batch of environments.
    """

    def __init__(
        self,
        env_name: str,
        env_kwargs: Mapping[str, Any],
        batch_size: int,
        policy: Policy,
        baseline: LinearFeatureBaseline,
        env: gym.Env[Any, Any] | None = None,
        seed: int | None = None,
        *,
        tasks_per_item: int = 10,
    ):
        self.policy = policy
        self.batch_size = batch_size
        self.seed = draw_seed() if seed is None else seed
        self.env = make_env(env_name, env_kwargs) if env is None else env
        self._owns_env = env is None
        self._tasks_per_item = tasks_per_item
        self._task_draws = 0
        self._iteration = 0
        self._closed: str | None = None
        self._seconds_adapting = Tally()
        self._make_worker = partial(
            SamplerWorker,
            find_spec(env_name),
            dict(env_kwargs),
            batch_size,
            copy.deepcopy(policy).cpu(),
            copy.deepcopy(baseline).cpu(),
        )

    def sample_tasks(self, num_tasks: int, iteration: int | None = None) -> list[Task]:
        """Draw tasks: those of ``iteration``, or new ones at each call."""
        if iteration is None:
            iteration = self._task_draws
        self._task_draws = iteration + 1
        self.env.reset(seed=integer_seed(seed_sequence(self.seed, Purpose.TASKS, iteration=iteration)))
        tasks: list[Task] = self.env.unwrapped.sample_tasks(num_tasks)  # type: ignore[attr-defined]
        return tasks

    def sample_async(
        self,
        tasks: Sequence[Task],
        num_steps: int = 1,
        fast_lr: float | Sequence[float] = 0.5,
        gamma: float = 0.95,
        gae_lambda: float = 1.0,
        device: torch.device | str = "cpu",
        bootstrap_truncated: bool = False,
        mean_over: MeanOver = "episodes",
        iteration: int | None = None,
    ) -> Futures:
        """Start sampling, from the policy's present parameters; return at once.

        Args:
            num_steps: inner gradient steps.
            fast_lr: their step size, or one for each.
            device: where the episodes' tensors shall live.
            mean_over: what losses are means over, see `maml_rl.advantages.step_weights`.
            iteration: names the random streams; counts the calls if it is not given.

        Returns:
            ``train[step][task]``, episodes before each step, and ``valid[task]``, those after the last.

        Raises:
            RuntimeError: the sampler is closed.
            ValueError: ``fast_lr`` has another number of entries than ``num_steps``.
        """
        if self._closed is not None:
            raise RuntimeError(f"this sampler is closed{self._closed}: make a new one")
        if iteration is None:
            iteration = self._iteration
        self._iteration = iteration + 1
        step_sizes = tuple(fast_lr) if isinstance(fast_lr, Sequence) else (fast_lr,) * num_steps
        if len(step_sizes) != num_steps:
            raise ValueError(f"fast_lr has {len(step_sizes)} entries for {num_steps} steps")
        settings = SamplingSettings(step_sizes, gamma, gae_lambda, bootstrap_truncated, mean_over)
        theta = self.policy.get_vector().cpu().numpy()
        train: list[list[EpisodesFuture]] = [[EpisodesFuture() for _ in tasks] for _ in step_sizes]
        valid = [EpisodesFuture() for _ in tasks]
        for first in range(0, len(tasks), self._tasks_per_item):
            part = slice(first, first + self._tasks_per_item)
            item = WorkItem(self.seed, iteration, first, tasks[part], theta, settings)
            futures = [step[part] for step in train], valid[part]
            self._submit(Job(item, futures, device, self._seconds_adapting))
        return train, valid

    def sample_wait(self, futures: Futures) -> tuple[list[list[BatchEpisodes]], list[BatchEpisodes]]:
        """Wait for the episodes of ``sample_async``: train ``[step][task]`` and valid ``[task]``.

        Raises:
            WorkerError: a worker failed; the message holds its traceback.
        """
        train, valid = futures
        return [[f.result() for f in step] for step in train], [f.result() for f in valid]

    def sample(
        self, tasks: Sequence[Task], **kwargs: Any
    ) -> tuple[list[list[BatchEpisodes]], list[BatchEpisodes]]:
        """Call `sample_async` and wait."""
        return self.sample_wait(self.sample_async(tasks, **kwargs))

    @property
    def seconds_adapting(self) -> float:
        """What inner steps have taken so far, all workers together."""
        return self._seconds_adapting.total

    @property
    def restarts(self) -> int:
        """How many workers have been replaced so far."""
        return 0

    def close(self) -> None:
        """Stop the workers. Episodes not sampled yet fail; a second call does nothing."""
        if self._closed is None:
            self._closed = ""
            self._stop()
            if self._owns_env:
                self.env.close()

    def __enter__(self) -> "Sampler":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @abstractmethod
    def _submit(self, job: Job) -> None:
        """Have the job done, now or later."""

    @abstractmethod
    def _stop(self) -> None:
        """Free whatever does the jobs; fail those that are not done."""
