"""The time and memory that an environment takes."""

import os
import time
from collections.abc import Callable, Mapping
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
SECONDS, LONGEST = 0.5, 2.0
"""Least seconds to measure for, and most of one episode."""


@dataclass(frozen=True)
class EnvCost:
    """What one copy of an environment costs, measured with up to `COPIES` side by side.

    Args:
        megabytes: of a copy; None where the system does not say what a process holds.
        step: seconds of a step.
        reset: seconds of a reset.
        steps: of an episode under random actions.
        cut: whether an episode was stopped before its end.
    """

    megabytes: float | None
    step: float
    reset: float
    steps: float
    cut: bool

    def __str__(self) -> str:
        size = "" if self.megabytes is None else f"{self.megabytes:.1f} MB, "
        times = f"{1e6 * self.step:.0f} µs a step, {1e6 * self.reset:.0f} µs a reset"
        steps = "1 step" if round(self.steps) == 1 else f"{self.steps:.0f} steps"
        return f"a copy takes {size}{times}; episodes of {self._at_least}{steps}"

    def of_iteration(self, config: Config) -> str:
        """Say what an iteration of a config takes in environments alone, on one processor."""
        at_once = config.fast_batch_size * min(config.tasks_per_item, config.meta_batch_size)
        copies = min(at_once, config.env_copies or at_once)
        episodes = config.meta_batch_size * config.fast_batch_size * (config.num_steps + 1)
        steps, seconds = episodes * self.steps, episodes * (self.steps * self.step + self.reset)
        size = "" if self.megabytes is None else f", {copies * self.megabytes:,.0f} MB"
        return (
            f"an iteration: {self._at_least}{steps:,.0f} steps, {seconds:.1f} s of one worker; "
            f"{copies} copies a worker{size}"
        )

    @property
    def _at_least(self) -> str:
        return "at least " if self.cut else ""


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
        resetting = stepping = 0.0
        while resetting + stepping < SECONDS:
            resetting += _seconds(lambda: batch.reset(seed=[len(lengths)]))
            lengths.append(np.zeros(copies))
            began = stepping
            while batch.running.any() and stepping - began < LONGEST:
                lengths[-1] += batch.running
                stepping += _seconds(lambda: batch.step(actions))
        cut = bool(batch.running.any())
    megabytes = None if before is None or after is None else max(after - before, 0.0) / copies
    steps, resets = float(np.sum(lengths)), copies * len(lengths)
    return EnvCost(megabytes, stepping / steps, resetting / resets, steps / resets, cut)


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _resident() -> float | None:
    """Return the megabytes that this process holds."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
