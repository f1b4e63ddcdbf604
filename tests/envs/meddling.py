"""Task distributions that change what the whole process depends on, or whose tasks are hard to compare."""

import os
import signal
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tests.envs.elsewhere import Points
from tests.envs.peculiar import Line


def no_gradients() -> None:
    torch.set_grad_enabled(False)


def take_signals() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def leave_for_nowhere() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)


MEDDLING: dict[str, Callable[[], object]] = {
    "folder": lambda: os.chdir(tempfile.gettempdir()),
    "signal": take_signals,
    "gradients": no_gradients,
    "type": lambda: torch.set_default_dtype(torch.float64),
    "threads": lambda: torch.set_num_threads(torch.get_num_threads() + 1),
    "device": lambda: torch.set_default_device("meta"),
    "folder that is gone": leave_for_nowhere,
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


class NeedsItsFolder(Line):
    """It leaves for its own folder, and reads a file there later."""

    def __init__(self, folder: str) -> None:
        super().__init__()
        os.chdir(folder)

    def start(self) -> float:
        return float(Path("start.txt").read_text())


class SlowMeddles(Meddles):
    """Making it takes longer than the quick check."""

    def __init__(self) -> None:
        super().__init__("folder")
        time.sleep(0.6)


class FarRewards(Line):
    """Rewards that differ a little, far from 0."""

    def __init__(self, offset: float) -> None:
        super().__init__()
        self.offset = offset

    def reward(self) -> Any:
        return super().reward() + self.offset


class ConstantRewards(Line):
    def reward(self) -> Any:
        return -0.1


class NotFinite(Line):
    """An observation or a reward is NaN, late in an episode."""

    horizon = 40

    def __init__(self, what: str, when: int = 40) -> None:
        super().__init__()
        self.what, self.when = what, when

    def look(self) -> Any:
        return super().look() * (np.nan if self.what == "observation" and self.time == self.when else 1)

    def reward(self) -> Any:
        return np.nan if self.what == "reward" and self.time == self.when else super().reward()


class Films(Line):
    """Pictures of several kinds."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 10}

    def __init__(self, kind: str, render_mode: str | None = None) -> None:
        super().__init__()
        self.kind, self.render_mode = kind, render_mode

    def render(self) -> Any:
        picture = np.full((8, 8, 3), 200, np.uint8)
        pictures = {
            "gray": picture[..., 0],
            "rgba": np.zeros((8, 8, 4), np.uint8),
            "float": picture / 255,
            "integers": picture.astype(np.int64),
            "grows": np.zeros((8 + self.time, 8, 3), np.uint8),
            "list": picture.tolist(),
            "nothing": None,
        }
        return pictures[self.kind]


class OneStep(Line):
    horizon = 1


class AddsToTasks(Line):
    """``reset_task`` adds what a task lacks to the task itself."""

    def reset_task(self, task: Any) -> None:
        task.setdefault("wind", 0.0)
        super().reset_task(task)


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


class Left(NamedTuple):
    goal: float


class Right(NamedTuple):
    goal: float


class TwoKinds(Line):
    """Two tasks that differ in their type alone."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return [(Left, Right)[self.np_random.integers(2)](0.5) for _ in range(num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = task.goal if isinstance(task, Right) else -task.goal


@dataclass
class Cached:
    """A task that remembers what followed from it."""

    goal: float
    seen: list[float] = field(default_factory=list, compare=False)


class CachedTasks(HiddenTasks):
    def sample_tasks(self, num_tasks: int) -> Any:
        return [Cached(goal) for goal in self.np_random.uniform(-1.0, 1.0, num_tasks)]

    def reset_task(self, task: Any) -> None:
        super().reset_task(task)
        task.seen.append(task.goal)


class SetKeys(Line):
    """Tasks are dicts with sets as keys."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{frozenset({n, "d"}): self.np_random.uniform() for n in "abc"} for _ in range(num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = task[frozenset({"a", "d"})]


class TensorTasks(Line):
    """Tasks that differ behind the fourth digit."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return [torch.tensor(0.5 + 1e-6 * x) for x in self.np_random.uniform(size=num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = float(task)


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
