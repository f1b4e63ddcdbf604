"""Environments without tasks, whose attributes make some: a point on a line that something pulls back."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

Answer = tuple[Any, Any, Any, Any, dict[str, Any]]


class Spring(gym.Env[Any, Any]):
    """The constructor computes a frequency, a table and a space from the attributes."""

    observation_space = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    steps = 10
    unit = 1.0
    """Attributes of the class."""

    def __init__(self, stiffness: float = 4.0, reach: float = 1.0):
        self.stiffness, self.mass, self.reach = stiffness, 1.0, reach
        self.count, self.on, self.name, self.nothing = 3, True, "spring", None
        self.rest, self.grid = np.array([0.0, 0.5]), np.array([1, 2])
        self.limits = {"low": -1.0, "high": 1.0}
        self.weights = [1.0, 2.0]
        self.frequency = np.sqrt(stiffness / self.mass)
        self.table = [self.frequency * i for i in range(3)]
        self.drawn = np.random.default_rng().random()
        self.action_space = spaces.Box(-self.reach, self.reach, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.time = 0
        self.state = np.array([self.np_random.uniform(-0.1, 0.1), 0.0])
        return self.state.astype(np.float32), {}

    def step(self, action: Any) -> Answer:
        place, speed = self.state
        pull = self.frequency**2 * (place - self.rest[0]) * self.unit
        self.state = np.array([place + 0.1 * speed, speed + 0.1 * (float(action[0]) / self.mass - pull)])
        self.time += 1
        reward = -abs(float(self.state[0]) - self.rest[1])
        return self.state.astype(np.float32), reward, False, self.time >= self.steps, {}


class Resetting(Spring):
    """Its reset has an attribute of its own mind."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        self.mass = 1.0
        return super().reset(seed=seed)


class Restless(Spring):
    """Its steps change an attribute."""

    def step(self, action: Any) -> Answer:
        self.mass *= 1.1
        return super().step(action)


class Computed(Spring):
    """An attribute with a setter, and others that are read alone, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.length = 2.0
        self.period = 2 * self.length

    @property
    def length(self) -> float:
        return self._length

    @length.setter
    def length(self, value: float) -> None:
        self._length, self.square = value, value**2

    @property
    def readable(self) -> float:
        return 1.0

    @property
    def early(self) -> float:
        raise RuntimeError("reset first")


class Once(Spring):
    """A second one cannot be made in this way."""

    def __init__(self) -> None:
        if type(self) is not Once:
            raise RuntimeError("only one")
        super().__init__()


class Strict(Spring):
    """Its constructor does not take every number."""

    def __init__(self) -> None:
        super().__init__()
        if self.mass > 10:
            raise ValueError("too heavy")
