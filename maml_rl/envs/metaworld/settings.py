"""The arguments that all of Meta-World's environments take."""

from dataclasses import dataclass

import numpy as np
from gymnasium import spaces

from maml_rl.envs.metaworld.package import metaworld
from maml_rl.envs.metaworld.simulation import SIZE
from maml_rl.envs.metaworld.tasks import Benchmark
from maml_rl.errors import UsageError, check_whole, shown

REWARD_VERSIONS = "v1", "v2"


@dataclass(frozen=True)
class MetaWorldSettings:
    """The arguments of an environment, besides those of pictures.

    Args:
        benchmark: ``ML1-reach-v3`` or the like, ``ML10``, ``ML25`` or ``ML45``.
        reward_function_version: ``v1`` or ``v2``.
        tasks_seed: of the benchmark's goals.
        most_models: that a process keeps, at some 20 MB each; more only where a batch needs them.

    Raises:
        UsageError: the package is not installed, or an argument has a value that it cannot have.
    """

    benchmark: str
    reward_function_version: str = "v2"
    tasks_seed: int = 0
    most_models: int = 50

    def __post_init__(self) -> None:
        metaworld()
        if self.reward_function_version not in REWARD_VERSIONS:
            raise UsageError(
                f"reward_function_version: expected v1 or v2, got {shown(self.reward_function_version)}"
            )
        check_whole("most_models", self.most_models, 1)
        Benchmark(self.benchmark, self.tasks_seed)

    @property
    def tasks(self) -> Benchmark:
        """What tasks are drawn from."""
        return Benchmark(self.benchmark, self.tasks_seed)


def observation_box() -> spaces.Box:
    """Return the space of observations, unbounded; the last three numbers, of the hidden goal, are 0."""
    return spaces.Box(-np.inf, np.inf, (SIZE,), np.float64)


def action_box() -> spaces.Box:
    """Return the space of actions: the hand's move along three axes, and the fingers' force."""
    return spaces.Box(-1.0, 1.0, (4,), np.float32)
