"""Distributions of tasks that several robots share."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from maml_rl.envs.mujoco.locomotion import Locomotion
from maml_rl.envs.task_env import Task, check_positive, check_range


@dataclass(frozen=True, kw_only=True)
class VelocityTasks(Locomotion):
    """Run at a velocity in m/s, uniform in [low, high]: ``{"velocity": v}``."""

    task_key: ClassVar[str] = "velocity"
    default_goal: ClassVar[float] = 0.0
    low: float = 0.0
    high: float = 2.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self.low, self.high)

    def sample_tasks(self, rng: np.random.Generator, num_tasks: int) -> list[Task]:
        """Draw velocities."""
        return [{"velocity": v} for v in rng.uniform(self.low, self.high, num_tasks)]


@dataclass(frozen=True, kw_only=True)
class DirectionTasks(Locomotion):
    """Run forward or backward, with equal chance: ``{"direction": ±1}``."""

    task_key: ClassVar[str] = "direction"
    default_goal: ClassVar[float] = 1.0

    def sample_tasks(self, rng: np.random.Generator, num_tasks: int) -> list[Task]:
        """Draw directions."""
        return [{"direction": d} for d in 2.0 * rng.integers(2, size=num_tasks) - 1.0]


@dataclass(frozen=True, kw_only=True)
class PositionTasks(Locomotion):
    """Go to a point, uniform in [low, high]², in metres: ``{"position": [2]}``."""

    task_key: ClassVar[str] = "position"
    default_goal: ClassVar[tuple[float, float]] = (0.0, 0.0)
    low: float = -3.0
    high: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range(self.low, self.high)

    def sample_tasks(self, rng: np.random.Generator, num_tasks: int) -> list[Task]:
        """Draw points."""
        return [{"position": p} for p in rng.uniform(self.low, self.high, (num_tasks, 2))]


@dataclass(frozen=True, kw_only=True)
class PlaneDirectionTasks(Locomotion):
    """Run in a direction, uniform in the plane: ``{"direction": [2]}`` of length 1."""

    task_key: ClassVar[str] = "direction"
    default_goal: ClassVar[tuple[float, float]] = (1.0, 0.0)

    def sample_tasks(self, rng: np.random.Generator, num_tasks: int) -> list[Task]:
        """Draw directions."""
        angles = rng.uniform(0.0, 2.0 * np.pi, num_tasks)
        return [{"direction": d} for d in np.stack([np.cos(angles), np.sin(angles)], axis=-1)]


@dataclass(frozen=True, kw_only=True)
class GoalTasks(Locomotion):
    """Go to a point, uniform in a disc around the start, in metres: ``{"goal": [2]}``.

    Args:
        radius: of the disc, in metres.
    """

    task_key: ClassVar[str] = "goal"
    default_goal: ClassVar[tuple[float, float]] = (0.0, 0.0)
    radius: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("radius", self.radius)

    def sample_tasks(self, rng: np.random.Generator, num_tasks: int) -> list[Task]:
        """Draw points."""
        angles = rng.uniform(0.0, 2.0 * np.pi, num_tasks)
        distances = self.radius * np.sqrt(rng.random(num_tasks))
        points = distances[:, None] * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
        return [{"goal": p} for p in points]
