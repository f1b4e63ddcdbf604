"""The work of sampling: a work item in, train and valid episodes out, and nothing else remembered."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.adaptation import adapt
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import MeanOver
from maml_rl.envs import Task, TaskVectorEnv, make_task_vector_env
from maml_rl.episode import EpisodeData, compute_advantages, stack_data
from maml_rl.finite import check_finite
from maml_rl.policies.base import Policy
from maml_rl.samplers.rollout import action_noise, rollout
from maml_rl.seeding import Purpose, integer_seed, seed_sequence


@dataclass(frozen=True)
class SamplingSettings:
    """How a task is sampled and adapted to.

    Args:
        step_sizes: one per inner step.
        gamma, gae_lambda: of the advantages.
        bootstrap_truncated: whether a value follows the last step of an episode that time cut.
        mean_over: what the inner losses are means over.
    """

    step_sizes: tuple[float, ...]
    gamma: float
    gae_lambda: float
    bootstrap_truncated: bool
    mean_over: MeanOver


@dataclass(frozen=True)
class WorkItem:
    """Everything that the episodes of a few tasks depend on: any worker makes the same of it.

    Args:
        seed, iteration, first_task: the path of the random streams; tasks count from ``first_task``.
        theta: the initial parameters, ``[P]`` float32.
    """

    seed: int
    iteration: int
    first_task: int
    tasks: Sequence[Task]
    theta: NDArray[np.float32]
    settings: SamplingSettings


class Sample(NamedTuple):
    """Episodes of all tasks of an item, as arrays: they travel between processes."""

    step: int | None
    """The inner step that they are train episodes for; None for valid episodes."""
    arrays: tuple[NDArray[Any], ...]
    """The fields of `EpisodeData`."""
    advantages: NDArray[np.float32]
    seconds_adapting: float
    """Spent on the inner step that came before these episodes."""


class SamplerWorker:
    """Rolls out, adapts, and rolls out again, for the tasks of one work item at a time.

    Args:
        env: the environment's registration.
        env_kwargs: its keyword arguments.
        batch_size: episodes per task, K.
        policy: a template; the parameters come with the item.
        baseline: fitted afresh for every batch of episodes.
    """

    def __init__(
        self,
        env: EnvSpec,
        env_kwargs: Mapping[str, Any],
        batch_size: int,
        policy: Policy,
        baseline: LinearFeatureBaseline,
    ):
        self._env, self._env_kwargs, self._batch_size = env, env_kwargs, batch_size
        self._policy, self._baseline = policy, baseline
        self._envs: dict[int, TaskVectorEnv] = {}

    def sample(self, item: WorkItem) -> Iterator[Sample]:
        """Yield train episodes before each inner step, then valid episodes."""
        settings = item.settings
        params = torch.from_numpy(item.theta).expand(len(item.tasks), -1)
        seconds = 0.0
        for step, step_size in enumerate(settings.step_sizes):
            data, advantages = self.create_episodes(item, params, step)
            yield _to_sample(step, data, advantages, seconds)
            started = time.perf_counter()
            episodes = stack_data(data, advantages, settings.mean_over)
            params = adapt(self._policy, [episodes], params, step_size)
            seconds = time.perf_counter() - started
        data, advantages = self.create_episodes(item, params, len(settings.step_sizes))
        yield _to_sample(None, data, advantages, seconds)

    def create_episodes(
        self, item: WorkItem, params: Float[Tensor, "N P"], step: int
    ) -> tuple[EpisodeData, Float[Tensor, "N T K"]]:
        """Roll out each task under its parameters; return the episodes and their advantages.

        Raises:
            FloatingPointError: parameters, observations or rewards are NaN or infinite.
        """

        def check(name: str, values: Tensor) -> None:
            check_finite(name, values, item.first_task, f" after {step} inner steps")

        check("parameters", params)
        data = self.sample_trajectories(item, params, step)
        check("observations", data.observations)
        check("rewards", data.rewards)
        settings = item.settings
        self._baseline.fit_data(data, settings.gamma)
        advantages = compute_advantages(
            data,
            self._baseline,
            settings.gamma,
            settings.gae_lambda,
            bootstrap_truncated=settings.bootstrap_truncated,
            mean_over=settings.mean_over,
        )
        return data, advantages

    def sample_trajectories(self, item: WorkItem, params: Float[Tensor, "N P"], step: int) -> EpisodeData:
        """Roll out K episodes of each task, with the random streams of (item, ``step``)."""

        def streams(purpose: Purpose) -> list[np.random.SeedSequence]:
            return [
                seed_sequence(
                    item.seed,
                    purpose,
                    iteration=item.iteration,
                    task=item.first_task + i,
                    step=step,
                )
                for i in range(len(item.tasks))
            ]

        env = self._vector_env(len(item.tasks))
        env.reset_task(item.tasks)
        rngs = [np.random.default_rng(stream) for stream in streams(Purpose.ACTIONS)]
        noise = action_noise(self._policy, rngs, self._batch_size)
        seeds = [integer_seed(stream) for stream in streams(Purpose.ENVIRONMENT)]
        return rollout(env, self._policy, params, noise, seeds)

    def close(self) -> None:
        """Close the environments."""
        for env in self._envs.values():
            env.close()
        self._envs.clear()

    def _vector_env(self, num_tasks: int) -> TaskVectorEnv:
        if num_tasks not in self._envs:
            self._envs[num_tasks] = make_task_vector_env(
                self._env, self._env_kwargs, num_tasks * self._batch_size
            )
        return self._envs[num_tasks]


def _to_sample(
    step: int | None, data: EpisodeData, advantages: Float[Tensor, "N T K"], seconds_adapting: float
) -> Sample:
    arrays = tuple(tensor.numpy() for tensor in data if tensor is not None)
    return Sample(step, arrays, advantages.numpy(), seconds_adapting)
