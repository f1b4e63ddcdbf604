"""Task distributions that change what the whole process depends on, or whose tasks are hard to compare."""

import os
import signal
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from tests.envs.elsewhere import Points
from tests.envs.peculiar import Line


def no_gradients() -> None:
    torch.set_grad_enabled(False)


def take_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


MEDDLING: dict[str, Callable[[], object]] = {
    "folder": lambda: os.chdir(tempfile.gettempdir()),
    "signal": take_signals,
    "gradients": no_gradients,
    "type": lambda: torch.set_default_dtype(torch.float64),
    "threads": lambda: torch.set_num_threads(3),
    "device": lambda: torch.set_default_device("meta"),
}


class Meddles(Line):
    """It changes a setting of the process, when it is made or at a reset."""

    def __init__(self, what: str, late: bool = False) -> None:
        super().__init__()
        self.what, self.late = what, late
        if not late:
            MEDDLING[what]()

    def start(self) -> float:
        if self.late:
            MEDDLING[self.what]()
        return 0.0


class FarRewards(Line):
    """Rewards that differ a little, far from 0."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = offset

    def reward(self) -> Any:
        return super().reward() + self.offset


class OneObject(Line):
    """``sample_tasks`` fills one dict again and again."""

    def sample_tasks(self, num_tasks: int) -> Any:
        task: dict[str, float] = {}
        for goal in self.np_random.uniform(-1.0, 1.0, num_tasks):
            task["goal"] = goal
        return [task] * num_tasks


class SetTasks(Line):
    """Tasks are sets, whose order is chance."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return [frozenset(f"{x:.2f}" for x in self.np_random.uniform(size=3)) for _ in range(num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = sum(map(float, sorted(task)))


@dataclass(frozen=True)
class Hidden:
    """A task that does not tell what it holds."""

    goal: float = field(repr=False)


class HiddenTasks(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        return [Hidden(goal) for goal in self.np_random.uniform(-1.0, 1.0, num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = task.goal


class FirstTaskForAll(Points):
    """A batch whose copies all have the first one's task."""

    def set_task(self, tasks: Any) -> None:
        super().set_task([tasks[0]] * len(tasks))


class OneGenerator(Points):
    """A batch whose copies draw from one generator."""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        if seed is not None:
            self.randoms = [np.random.default_rng(seed[0])] * self.num_envs
        return super().reset(options=options)
