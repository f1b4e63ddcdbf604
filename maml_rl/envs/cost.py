"""The time and memory that an environment takes."""

import os
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from gymnasium.envs.registration import EnvSpec

from maml_rl.config import Config
from maml_rl.envs.playback import actions_of
from maml_rl.envs.registry import make_env, make_task_vector_env
from maml_rl.envs.task_env import Array
from maml_rl.envs.task_space import EnvTaskSpace

COPIES = 8
SECONDS = 0.5
"""Time that steps are counted for, at least."""


@dataclass(frozen=True)
class EnvCost:
    """What a copy of an environment takes.

    Args:
        megabytes: of a copy; None where the system does not say what a process holds.
        microseconds: of a step of a copy, up to `COPIES` of them side by side.
        steps: of an episode under random actions.
    """

    megabytes: float | None
    microseconds: float
    steps: float

    def __str__(self) -> str:
        size = "" if self.megabytes is None else f"{self.megabytes:.1f} MB, "
        return f"a copy takes {size}{self.microseconds:.0f} µs a step; episodes of {self.steps:.0f} steps"

    def of_iteration(self, config: Config) -> str:
        """Say what an iteration of a config takes in environments alone, on one processor."""
        episodes = config.fast_batch_size * min(config.tasks_per_item, config.meta_batch_size)
        copies = min(episodes, config.env_copies or episodes)
        steps = config.meta_batch_size * config.fast_batch_size * (config.num_steps + 1) * self.steps
        size = "" if self.megabytes is None else f", {copies * self.megabytes:,.0f} MB"
        return (
            f"an iteration: {steps:,.0f} steps, {steps * self.microseconds / 1e6:.1f} s of one worker; "
            f"{copies} copies a worker{size}"
        )


def cost_of(
    env: str | EnvSpec, env_kwargs: Mapping[str, Any] | None = None, env_copies: int | None = None
) -> EnvCost:
    """Measure a few episodes of copies side by side.

    Args:
        env_copies: copies that there may be, if they are fewer.

    Raises:
        UsageError: the environment cannot be made.
    """
    with closing(make_env(env, env_kwargs)) as single:
        task = EnvTaskSpace(single).sample(0, 1)
        copies = min(COPIES, env_copies or COPIES)
        actions = np.stack(actions_of(single.action_space, copies))
    before = _resident()
    with closing(make_task_vector_env(env, env_kwargs, copies)) as batch:
        after = _resident()
        batch.reset_task(task)
        lengths: list[Array] = []
        started = time.perf_counter()
        while time.perf_counter() - started < SECONDS or not lengths:
            batch.reset(seed=[len(lengths)])
            length = np.zeros(copies)
            while batch.running.any() and time.perf_counter() - started < 4 * SECONDS:
                length += batch.running
                batch.step(actions)
            lengths.append(length)
        seconds = time.perf_counter() - started
    megabytes = None if before is None or after is None else max(after - before, 0.0) / copies
    return EnvCost(megabytes, 1e6 * seconds / float(np.sum(lengths)), float(np.mean(lengths)))


def _resident() -> float | None:
    """Return the megabytes that this process holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
