"""A run: what a config and the settings of this execution bring to life."""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch
from torch import Tensor

from maml_rl.baseline import make_baseline
from maml_rl.config import WORKER_TIMEOUT, Config, LearnerName, load_config
from maml_rl.config.methods import method_named
from maml_rl.envs import make_task_vector_env
from maml_rl.envs.copies import EnvCopies
from maml_rl.envs.plain_spaces import check_alike
from maml_rl.envs.several import environments_of
from maml_rl.envs.task_space import ListTaskSpace
from maml_rl.envs.tasks_file import checked_tasks
from maml_rl.errors import UsageError, check_number
from maml_rl.metalearners import MetaLearner, MetaState, MetaUpdate
from maml_rl.policies.base import Policy
from maml_rl.policies.factory import get_input_size
from maml_rl.samplers import Sampler
from maml_rl.samplers.backends.base import Backend
from maml_rl.samplers.backends.in_process import InProcessBackend
from maml_rl.samplers.backends.processes import ProcessBackend
from maml_rl.samplers.backends.ray_cluster import RayCluster
from maml_rl.samplers.jobs import Futures
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.seeding import Purpose, integer_seed, seed_sequence
from maml_rl.training.by_environment import success_columns
from maml_rl.training.folder import CONFIG, POLICY
from maml_rl.training.remote import WithWorkers, check_remote
from maml_rl.training.running_statistics import RunningStatistics
from maml_rl.training.state import load_theta

LARGEST_SEED = 2**63 - 1
"""The largest seed that an array of results can hold."""
MOST_WORKERS = 1024
"""More processes than one machine has use for; each takes a second to start."""


@dataclass(frozen=True)
class RunSettings:
    """The settings of an execution, besides the config. Only the seed changes the result.

    Args:
        seed: of every random stream.
        num_workers: sampler processes; 0 samples in this process.
        device: where meta-updates are computed.
        worker_timeout: seconds without an answer after which a sampler process counts as dead.
        rebuild_graphs: bound their memory, see `maml_rl.metalearners.base.GradientMetaLearner`.
        ray: the cluster whose actors sample, in place of processes.
        learner: ``remote`` leaves episodes with the workers, who answer what the update asks of them.

    Raises:
        UsageError: the seed, the number of workers or the timeout is out of range.
    """

    seed: int
    num_workers: int = 0
    device: str = "cpu"
    worker_timeout: float = WORKER_TIMEOUT
    rebuild_graphs: bool = False
    ray: RayCluster | None = None
    learner: LearnerName = "local"

    def __post_init__(self) -> None:
        check_number("seed", self.seed, 0, LARGEST_SEED)
        check_number("num-workers", self.num_workers, 0 if self.ray is None else 1, MOST_WORKERS)
        if not self.worker_timeout > 0:
            raise UsageError(f"worker-timeout: expected more than 0 seconds, got {self.worker_timeout}")
        if self.learner == "remote" and self.device != "cpu":
            raise UsageError(
                f"--learner remote computes with workers, on CPUs: leave out --device {self.device}"
            )


class Run:
    """The environment, learner and sampler that a config describes. Close it, or use ``with``.

    Raises:
        UsageError: the environment, its arguments, the method, the policy or the device do not exist.
    """

    def __init__(self, config: Config, settings: RunSettings):
        self.config, self.settings = config, settings
        device = _device(settings.device)
        self.copies = EnvCopies(config.env_name, config.env_arguments, config.env_copies)
        try:
            self._begin(device)
        except BaseException:
            self.copies.close()
            raise

    def _begin(self, device: torch.device) -> None:
        """Make what there is besides the environments."""
        config, settings = self.config, self.settings
        self.train_tasks = checked_tasks(self.env, config.tasks, "tasks")
        """Tasks that training draws from; empty if they are drawn from all."""
        self.test_tasks = checked_tasks(self.env, config.test_tasks, "test-tasks")
        """Tasks that are held out for tests; empty if those are drawn."""
        _check_batches(config.env_name, self.copies)
        policy = initial_policy(config, self.env, settings.seed)
        method = method_named(config.metalearner).load()
        remote = settings.learner == "remote"
        if remote:
            check_remote(config, method)
        # Before the workers, which start with their backend: what is wrong with a method leaves none behind.
        where: dict[str, Any] = {"place": WithWorkers(lambda: self.sampler)} if remote else {}
        self.learner: MetaLearner = method(policy, config, device, rebuild=settings.rebuild_graphs, **where)
        self.statistics = RunningStatistics(self.learner.layout)
        make_worker = partial(
            SamplerWorker,
            self.copies,
            method.adapts(policy, config),
            make_baseline(config.baseline, get_input_size(self.env)),
        )
        backend = make_backend(make_worker, settings)
        tasks = ListTaskSpace(self.train_tasks, self.copies) if self.train_tasks else self.copies
        self.sampler = Sampler(backend, tasks, settings.seed, config.tasks_per_item, remote)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def env(self) -> gym.Env[Any, Any]:
        """The environment that tasks are drawn from; it is made anew if it was closed."""
        return self.copies.single

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of the environments that training draws from, where they are several."""
        return environments_of(self.env, self.train_tasks)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of metrics that not every run has: the method's, and rates of success by environment."""
        return (*self.learner.columns, *success_columns(self.environments, self.config.num_steps))

    def init(self) -> MetaState:
        """Return the state before the first update."""
        return self.statistics.init(self.learner.init())

    def update(self, state: MetaState, rounds: Futures) -> MetaUpdate:
        """Make a meta-update, and count its episodes among the run's.

        Args:
            rounds: of `Sampler.sample_async`, from ``state.theta``.

        Raises:
            FloatingPointError: numbers are NaN or infinite.
            WorkerError: a sampler worker failed.
        """
        update = self.learner.update(state, rounds)
        credited = self.learner.credited(self.sampler.sample_wait(rounds))
        return update._replace(state=self.statistics.update(state, update.state, credited))

    def close(self) -> None:
        """Stop the sampler and close the environments."""
        self.sampler.close()
        self.copies.close()


@contextmanager
def trained_run(folder: Path, settings: RunSettings, **changes: Any) -> Iterator[tuple[Run, Tensor]]:
    """Open the run that a folder keeps; yield it and the theta that came of it.

    Args:
        changes: values of the config in place of its own.

    Raises:
        UsageError: the folder has no readable config or policy, or `Run` raises it.
    """
    config, _ = load_config(folder / CONFIG)
    with Run(config.model_copy(update=changes), settings) as run:
        yield run, load_theta(folder / POLICY, run.learner.layout)


def make_backend(make_worker: Callable[[], SamplerWorker], settings: RunSettings) -> Backend:
    """Return what does the work items of a run.

    Raises:
        UsageError: processes cannot be started, or the Ray cluster not be reached.
    """
    if not settings.num_workers:
        return InProcessBackend(make_worker)
    if settings.ray is None:
        return ProcessBackend(make_worker, settings.num_workers, settings.worker_timeout)
    from maml_rl.samplers.backends.ray import RayBackend  # Ray is an extra, and takes long to import.

    return RayBackend(make_worker, settings.num_workers, settings.worker_timeout, settings.ray)


def initial_policy(config: Config, env: gym.Env[Any, Any], seed: int) -> Policy:
    """Return the untrained policy of ``seed``, with what the method adds to it.

    The global generator of torch is left as it was.
    """
    method = method_named(config.metalearner).load()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(seed_sequence(seed, Purpose.INITIAL_PARAMETERS)))
        policy: Policy = method.make_policy(config, env.observation_space, env.action_space)
        return policy


def _check_batches(name: str, copies: EnvCopies) -> None:
    """Check, before anything is written, what only shows when there is more than one environment.

    Raises:
        UsageError: the batched version, or a second copy, cannot be made, or is not like the first one.
    """
    if copies.are_native:
        with closing(make_task_vector_env(copies.spec, copies.env_kwargs, 1)) as batch:
            check_alike(name, copies.single, batch)
    elif copies.most != 1:
        copies.another().close()


def _device(name: str) -> torch.device:
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
        if device.type not in ("cpu", "cuda"):  # Float64 is missing elsewhere, as on 'mps'.
            raise RuntimeError
    except (RuntimeError, AssertionError):
        usable = "cpu, cuda" if torch.cuda.is_available() else "cpu (torch finds no GPU)"
        raise UsageError(f"device '{name}' cannot be used here; usable: {usable}") from None
    return device
