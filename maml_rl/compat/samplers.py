"""Samplers of 2020: they read the policy's present parameters at each call."""

import copy
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import torch

from maml_rl.adaptation import GradientStep
from maml_rl.advantages import Credit
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import WORKER_TIMEOUT, MeanOver
from maml_rl.envs import Task, make_env
from maml_rl.envs.copies import EnvCopies
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.episode import BatchEpisodes
from maml_rl.losses import reinforce
from maml_rl.policies.base import Policy
from maml_rl.samplers.backends.base import Backend
from maml_rl.samplers.backends.in_process import InProcessBackend
from maml_rl.samplers.backends.processes import ProcessBackend
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.samplers.plan import Recipe
from maml_rl.samplers.sampler import Sampler
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.seeding import draw_seed

TrainAndValid = tuple[list[list[EpisodesFuture]], list[EpisodesFuture]]
"""``train[step][task]`` and ``valid[task]``."""
MakeBackend = Callable[[Callable[[], SamplerWorker]], Backend]


class PolicySampler:
    """Samples episodes of tasks, before and after gradient steps from the policy's parameters.

    Args:
        make_backend: returns what does the work items, given what makes a worker.
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
        make_backend: MakeBackend,
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
        self.policy, self.batch_size = policy, batch_size
        self.env = make_env(env_name, env_kwargs) if env is None else env
        self._owns_env = env is None
        self.seed = draw_seed() if seed is None else seed
        self._task_draws = self._iteration = 0
        template = copy.deepcopy(policy).cpu()
        make_worker = partial(
            SamplerWorker,
            EnvCopies(env_name, env_kwargs),
            GradientStep(template, reinforce, 1.0),
            copy.deepcopy(baseline).cpu(),
        )
        self._sampler = Sampler(make_backend(make_worker), EnvTaskSpace(self.env), self.seed, tasks_per_item)

    def sample_tasks(self, num_tasks: int, iteration: int | None = None) -> list[Task]:
        """Draw tasks: those of ``iteration``, or new ones at each call."""
        iteration = self._task_draws if iteration is None else iteration
        self._task_draws = iteration + 1
        return self._sampler.sample_tasks(num_tasks, iteration)

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
    ) -> TrainAndValid:
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
        iteration = self._iteration if iteration is None else iteration
        self._iteration = iteration + 1
        step_sizes = tuple(fast_lr) if isinstance(fast_lr, Sequence) else (fast_lr,) * num_steps
        if len(step_sizes) != num_steps:
            raise ValueError(f"fast_lr has {len(step_sizes)} entries for {num_steps} steps")
        recipe = Recipe(
            self.batch_size, step_sizes, Credit(gamma, gae_lambda, bootstrap_truncated, mean_over)
        )
        theta = self.policy.get_vector()
        *train, valid = self._sampler.sample_async(tasks, theta, recipe, iteration, device)
        return train, valid

    def sample_wait(self, futures: TrainAndValid) -> tuple[list[list[BatchEpisodes]], list[BatchEpisodes]]:
        """Wait for the episodes of ``sample_async``: train ``[step][task]`` and valid ``[task]``.

        Raises:
            WorkerError: a worker failed; the message holds its traceback.
        """
        train, valid = futures
        *train_episodes, valid_episodes = self._sampler.sample_wait([*train, valid])
        return train_episodes, valid_episodes

    def sample(
        self, tasks: Sequence[Task], **kwargs: Any
    ) -> tuple[list[list[BatchEpisodes]], list[BatchEpisodes]]:
        """Call `sample_async` and wait."""
        return self.sample_wait(self.sample_async(tasks, **kwargs))

    @property
    def seconds_adapting(self) -> float:
        """Seconds that inner steps have taken so far, all workers together."""
        return self._sampler.seconds_adapting

    @property
    def restarts(self) -> int:
        """Number of workers that have been replaced so far."""
        return self._sampler.restarts

    def close(self) -> None:
        """Stop the workers. Episodes not sampled yet fail; a second call does nothing."""
        self._sampler.close()
        if self._owns_env:
            self.env.close()
            self._owns_env = False

    def __enter__(self) -> "PolicySampler":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class InProcessSampler(PolicySampler):
    """Samples in the caller's own process and thread. See `PolicySampler` for the arguments."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(InProcessBackend, *args, **kwargs)


class MultiTaskSampler(PolicySampler):
    """Samples in ``num_workers`` processes. See `PolicySampler` for the arguments.

    Args:
        worker_timeout: seconds without an answer after which a worker counts as dead.
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
        num_workers: int = 1,
        *,
        tasks_per_item: int = 10,
        worker_timeout: float = WORKER_TIMEOUT,
    ):
        def make_backend(make_worker: Callable[[], SamplerWorker]) -> Backend:
            return ProcessBackend(make_worker, num_workers, worker_timeout)

        super().__init__(
            make_backend,
            env_name,
            env_kwargs,
            batch_size,
            policy,
            baseline,
            env,
            seed,
            tasks_per_item=tasks_per_item,
        )
        self.num_workers = num_workers
