"""A run: what a config and the settings of this execution bring to life."""

from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import torch

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import WORKER_TIMEOUT, Config
from maml_rl.envs import make_env
from maml_rl.errors import UsageError
from maml_rl.policies.base import Policy
from maml_rl.policies.making import get_input_size, get_policy_for_env
from maml_rl.samplers import InProcessSampler, MultiTaskSampler, Sampler
from maml_rl.seeding import Purpose, integer_seed, seed_sequence


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
        UsageError: the seed or the number of workers is negative, or the timeout is not positive.
    """

    seed: int
    num_workers: int = 0
    device: str = "cpu"
    worker_timeout: float = WORKER_TIMEOUT
    rebuild_graphs: bool = False

    def __post_init__(self) -> None:
        for name, value in {"seed": self.seed, "num-workers": self.num_workers}.items():
            if value < 0:
                raise UsageError(f"{name}: expected 0 or more, got {value}")
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
    except (RuntimeError, AssertionError):
        usable = "cpu, cuda" if torch.cuda.is_available() else "cpu (torch finds no GPU)"
        raise UsageError(f"device '{name}' cannot be used here; usable: {usable}") from None
    return device
