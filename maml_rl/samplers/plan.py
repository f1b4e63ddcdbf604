"""Work items and samples: the plain data that travels between sampler and workers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maml_rl.advantages import Credit
from maml_rl.config import Config
from maml_rl.envs import Task


@dataclass(frozen=True)
class Recipe:
    """A recipe for sampling a task and adapting to it.

    Args:
        episodes: per task and round, K.
        scales: one per adaptation step: its length over the usual one.
        credit: how advantages follow from rewards.
    """

    episodes: int
    scales: tuple[float, ...]
    credit: Credit

    @classmethod
    def of(cls, config: Config, scales: Sequence[float] | None = None) -> "Recipe":
        """Return the recipe of a config.

        Args:
            scales: in place of as many steps of the usual length as the config has.
        """
        usual = (1.0,) * config.num_steps
        credit = Credit(
            config.gamma,
            config.gae_lambda,
            config.bootstrap_truncated,
            config.mean_over,
            config.normalize_advantages,
        )
        return cls(config.fast_batch_size, usual if scales is None else tuple(scales), credit)


@dataclass(frozen=True)
class WorkItem:
    """Everything that the episodes of a few tasks depend on: any worker makes the same of it.

    Args:
        seed, iteration, first_task: the path of the random streams; tasks count from ``first_task``.
        theta: the meta-parameters, ``[P]`` float32.
    """

    seed: int
    iteration: int
    first_task: int
    tasks: Sequence[Task]
    theta: NDArray[np.float32]
    recipe: Recipe


class Sample(NamedTuple):
    """The episodes of a round, of all tasks of an item."""

    round: int
    """Number of adaptation steps that came before."""
    arrays: Mapping[str, NDArray[Any]]
    """The fields of `EpisodeData` that are known, ``[N, ...]`` each."""
    extras: Mapping[str, NDArray[Any]]
    """The arrays of `EpisodeData.extras`."""
    advantages: NDArray[np.float32]
    seconds_adapting: float
    """Spent on the adaptation step that came before these episodes."""
