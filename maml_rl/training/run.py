"""A run: what a config and the settings of this execution bring to life."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gymnasium as gym
import torch

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import WORKER_TIMEOUT, Config, load_config
from maml_rl.envs import make_env, make_task_vector_env
from maml_rl.errors import UsageError, check_number
from maml_rl.policies.base import Policy
from maml_rl.policies.making import get_input_size, get_policy_for_env
from maml_rl.samplers import InProcessSampler, MultiTaskSampler, Sampler
from maml_rl.seeding import Purpose, integer_seed, seed_sequence
from maml_rl.training.files import load_policy
from maml_rl.training.folder import CONFIG, POLICY

LARGEST_SEED = 2**63 - 1
"""That an array of results holds."""


@dataclass(frozen=True)
class RunSettings:
    """What a run depends on besides its config. Only the seed changes the result.

    Args:
        seed: of every random stream.
        num_workers: sampler processes; 0 samples in this process.
        device: where meta-updates are computed.
        worker_timeout: seconds without an answer after which a sampler process counts as dead.
        rebuild_graphs: bound their memory, see `MAMLTRPO`.

    Raises:
        UsageError: the seed, the number of workers or the timeout is out of range.
    """

    seed: int
    num_workers: int = 0
    device: str = "cpu"
    worker_timeout: float = WORKER_TIMEOUT
    rebuild_graphs: bool = False

    def __post_init__(self) -> None:
        check_number("seed", self.seed, 0, LARGEST_SEED)
        check_number("num-workers", self.num_workers, 0)
        if not self.worker_timeout > 0:
            raise UsageError(f"worker-timeout: expected more than 0 seconds, got {self.worker_timeout}")


class Run:
    """The environment, policy, baseline and sampler that a config describes. Close it, or use ``with``.

    Raises:
        UsageError: the environment, its arguments, the nonlinearity or the device do not exist.
    """

    def __init__(self, config: Config, settings: RunSettings):
        self.config, self.settings = config, settings
        self.device = _device(settings.device)
        self.env = make_env(config.env_name, config.env_kwargs)
        # What only the batched environment complains of shall be said before anything is written.
        make_task_vector_env(config.env_name, config.env_kwargs, 1).close()
        self.policy = initial_policy(config, self.env, settings.seed)
        baseline = LinearFeatureBaseline(get_input_size(self.env))
        arguments = (
            *(config.env_name, config.env_kwargs, config.fast_batch_size),
            *(self.policy, baseline, self.env, settings.seed),
        )
        self.sampler: Sampler
        if settings.num_workers:
            self.sampler = MultiTaskSampler(
                *arguments,
                settings.num_workers,
                tasks_per_item=config.tasks_per_item,
                worker_timeout=settings.worker_timeout,
            )
        else:
            self.sampler = InProcessSampler(*arguments, tasks_per_item=config.tasks_per_item)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the sampler and close the environment."""
        self.sampler.close()
        self.env.close()


@contextmanager
def trained_run(folder: Path, settings: RunSettings, **changes: Any) -> Iterator[Run]:
    """Open the run that a folder keeps, with the policy that came of it.

    Args:
        changes: values of the config in place of its own.

    Raises:
        UsageError: the folder has no readable config or policy, or `Run` raises it.
    """
    config, _ = load_config(folder / CONFIG)
    with Run(config.model_copy(update=changes), settings) as run:
        load_policy(run.policy, folder / POLICY)
        yield run


def initial_policy(config: Config, env: gym.Env[Any, Any], seed: int) -> Policy:
    """Return the untrained policy of ``seed``. The global generator of torch is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(seed_sequence(seed, Purpose.INITIAL_PARAMETERS)))
        return get_policy_for_env(
            env, config.hidden_sizes, config.nonlinearity, config.init_std, config.init_gain
        )


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
