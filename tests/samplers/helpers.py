"""Samplers on small environments, and comparisons of what they return."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import gymnasium as gym
import psutil
import torch

import maml_rl.envs  # noqa: F401
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.compat.samplers import PolicySampler
from maml_rl.config import WORKER_TIMEOUT
from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.policies import Policy
from maml_rl.policies.factory import get_input_size, get_policy_for_env
from maml_rl.samplers import InProcessSampler, MultiTaskSampler
from maml_rl.samplers.backends.base import Backend
from maml_rl.samplers.backends.pool import PoolBackend, WorkerPool
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.samplers.worker_process import WorkerProcess
from tests.builders import same_bits

Samples = tuple[list[list[BatchEpisodes]], list[BatchEpisodes]]
NAVIGATION = {"max_episode_steps": 12}
"""Its episodes are short here."""


def make_policy(env: gym.Env[Any, Any], seed: int = 0, hidden_sizes: Sequence[int] = (8,)) -> Policy:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return get_policy_for_env(env, hidden_sizes, "tanh")


def make_sampler(
    num_workers: int = 0,
    env_name: str = "2DNavigation-v0",
    env_kwargs: dict[str, Any] | None = None,
    batch_size: int = 3,
    seed: int | None = 0,
    env: gym.Env[Any, Any] | None = None,
    hidden_sizes: Sequence[int] = (8,),
    backend: str = "processes",
    **kwargs: Any,
) -> PolicySampler:
    """In this process where there are no workers; two tasks to a work item unless said otherwise.

    Args:
        backend: where workers are, if there are any: "processes" or "ray".
    """
    if env_kwargs is None:
        env_kwargs = NAVIGATION if env_name == "2DNavigation-v0" else {}
    if env is None:
        env = gym.make(env_name, **env_kwargs)
    policy = make_policy(env, hidden_sizes=hidden_sizes)
    baseline = LinearFeatureBaseline(get_input_size(env))
    kwargs = {"tasks_per_item": 2, **kwargs}
    arguments = (env_name, env_kwargs, batch_size, policy, baseline, env, seed)
    if num_workers and backend == "ray":
        timeout = kwargs.pop("worker_timeout", WORKER_TIMEOUT)
        return PolicySampler(partial(ray_backend, num_workers, timeout), *arguments, **kwargs)
    if num_workers:
        return MultiTaskSampler(*arguments, num_workers, **kwargs)
    return InProcessSampler(*arguments, **kwargs)


def ray_backend(num_workers: int, timeout: float, make_worker: Callable[[], SamplerWorker]) -> Backend:
    from maml_rl.samplers.backends.ray import RayBackend  # Ray may not be installed.

    return RayBackend(make_worker, num_workers, timeout)


def sample(sampler: PolicySampler, num_tasks: int = 5, **kwargs: Any) -> Samples:
    settings = {"num_steps": 1, "fast_lr": 0.3, "gamma": 0.95, "gae_lambda": 0.9, **kwargs}
    return sampler.sample(sampler.sample_tasks(num_tasks), **settings)


def flat(samples: Samples) -> list[BatchEpisodes]:
    train, valid = samples
    return [episodes for step in (*train, valid) for episodes in step]


def identical(first: Samples, second: Samples) -> bool:
    """Whether two answers hold the same bytes."""
    pairs = list(zip(flat(first), flat(second), strict=True))
    assert pairs
    return all(same_fields(a.data, b.data) and same_bits(a.advantages, b.advantages) for a, b in pairs)


def same_fields(a: EpisodeData, b: EpisodeData) -> bool:
    """Whether two recordings hold the same bytes, of the same extras too."""
    one, other = ({**data._asdict(), **data.extras} for data in (a, b))
    assert one.pop("extras").keys() == other.pop("extras").keys()
    assert one.keys() == other.keys()
    return all(same_bits(one[name], other[name]) for name in one)


def workers_of(sampler: PolicySampler) -> list[psutil.Process]:
    """The sampler's worker processes; those of actors, once they are there."""
    return [psutil.Process(process_id(worker)) for worker in pool_of(sampler)._workers]


def process_id(worker: Any) -> int:
    if isinstance(worker, WorkerProcess):
        assert worker._process.pid
        return worker._process.pid
    from ray._private.state import actors

    while not (found := actors(worker._actor._actor_id.hex()).get("Pid")):
        time.sleep(0.05)
    return int(found)


def pool_of(sampler: PolicySampler) -> WorkerPool:
    """Its worker processes, and the threads that wait for them."""
    backend = sampler._sampler._backend
    assert isinstance(backend, PoolBackend)
    return backend._pool


def assert_gone(processes: Sequence[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=20)
    assert not alive


@contextmanager
def fragile_registered() -> Iterator[str]:
    gym.register("Fragile-v0", entry_point="tests.samplers.environments:Fragile")
    try:
        yield "Fragile-v0"
    finally:
        del gym.registry["Fragile-v0"]
