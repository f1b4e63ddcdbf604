"""Task distributions with one peculiarity each: a point on a line that should reach a goal."""

import os
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from maml_rl.envs import TaskVectorEnv

Answer = tuple[Any, Any, Any, Any, dict[str, Any]]


class Line(gym.Env[Any, Any]):
    """Nothing peculiar."""

    horizon = 8
    observation_space: gym.Space[Any] = spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space: gym.Space[Any] = spaces.Box(-1.0, 1.0, (1,), np.float32)

    def __init__(self) -> None:
        self.goal = self.place = 0.0
        self.time = 0

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": goal} for goal in self.np_random.uniform(-1.0, 1.0, num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = float(task["goal"])

    def look(self) -> Any:
        return np.array([self.place, self.time / self.horizon], np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.time = self.start(), 0
        return self.look(), {}

    def start(self) -> float:
        return 0.0

    def move(self, action: Any) -> None:
        self.place += 0.1 * float(np.ravel(action)[0])
        self.time += 1

    def reward(self) -> Any:
        return -abs(self.place - self.goal)

    def step(self, action: Any) -> Answer:
        self.move(action)
        return self.look(), self.reward(), False, self.time >= self.horizon, {}


class NumPyStart(Line):
    def start(self) -> float:
        return float(np.random.normal())


class NumPyTasks(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": goal} for goal in np.random.uniform(-1.0, 1.0, num_tasks)]


class UnseededTasks(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": goal} for goal in np.random.default_rng().uniform(-1.0, 1.0, num_tasks)]


class RelativeTasks(Line):
    """What is drawn depends on the task that was set last."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": self.goal + way} for way in self.np_random.uniform(-1.0, 1.0, num_tasks)]


class OneTask(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": 0.5}] * num_tasks


class DeafToTasks(Line):
    def reset_task(self, task: Any) -> None:
        pass


class OwnGoals(Line):
    """A table of goals is drawn when the object is made; a task is an index into it."""

    def __init__(self) -> None:
        super().__init__()
        self.goals = np.random.default_rng().uniform(-1.0, 1.0, 50)

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"index": int(i)} for i in self.np_random.integers(50, size=num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = float(self.goals[task["index"]])


class CountsResets(Line):
    def __init__(self) -> None:
        super().__init__()
        self.resets = 0

    def start(self) -> float:
        self.resets += 1
        return float(self.resets)


class SharedPlace(Line):
    """All instances of a process move the same point."""

    shared = 0.0

    def start(self) -> float:
        SharedPlace.shared = 0.0
        return 0.0

    def move(self, action: Any) -> None:
        SharedPlace.shared += 0.1 * float(np.ravel(action)[0])
        self.place = SharedPlace.shared
        self.time += 1


class OneAtATime(Line):
    """A simulator of which a process can hold one instance."""

    alive = 0
    metadata = {"render_modes": ["rgb_array"], "render_fps": 20}

    def __init__(self, render_mode: str | None = None) -> None:
        super().__init__()
        self.render_mode = render_mode
        if OneAtATime.alive:
            raise RuntimeError("one simulator per process")
        OneAtATime.alive += 1

    def close(self) -> None:
        OneAtATime.alive -= 1

    def render(self) -> Any:
        return np.full((16, 16, 3), 10 * self.time, np.uint8)


class AnyLength(Line):
    """Episodes end at random, pushes are random, and what is told varies."""

    horizon = 12

    def start(self) -> float:
        return float(self.np_random.normal())

    def step(self, action: Any) -> Answer:
        observation, reward, _, cut, info = super().step(action)
        if self.np_random.random() < 0.1:
            info = {"success": float(self.time)}
        return observation, reward, bool(self.np_random.random() < 0.2), cut, info


class StrictActions(Line):
    def move(self, action: Any) -> None:
        assert self.action_space.contains(action), "outside of the space"
        super().move(action)


class ClippedActions(Line):
    def move(self, action: Any) -> None:
        super().move(np.clip(action, -1.0, 1.0))


class PositiveActions(StrictActions):
    action_space = spaces.Box(0.0, np.inf, (1,), np.float32)


class TwinLine(ClippedActions):
    """Has a batched version."""

    def __init__(self, wrong: float = 0.0) -> None:
        super().__init__()


class TwinLineVectorEnv(TaskVectorEnv):
    """`TwinLine`, unless it is told not to be.

    Args:
        wrong: by how much rewards of the third sub-environment are off, from step 5 on.
    """

    def __init__(self, num_envs: int = 1, wrong: float = 0.0):
        super().__init__(num_envs, Line.horizon, Line.observation_space, Line.action_space)
        self.wrong = np.array([0, 0, wrong, 0])[:num_envs]
        self.goals = self.places = np.zeros(num_envs)
        self.time = 0

    def _set_tasks(self, tasks: Any) -> None:
        self.goals = self._per_env([task["goal"] for task in tasks])

    def _start(self) -> Any:
        self.places, self.time = np.zeros(self.num_envs), 0
        return self.look()

    def _advance(self, actions: Any) -> Any:
        self.places = self.places + 0.1 * np.clip(actions[:, 0], -1.0, 1.0).astype(float)
        self.time += 1
        rewards = -np.abs(self.places - self.goals) + (self.wrong if self.time >= 5 else 0.0)
        return self.look(), rewards, np.zeros(self.num_envs, bool)

    def look(self) -> Any:
        return np.stack([self.places, np.full(self.num_envs, self.time / Line.horizon)], 1).astype(np.float32)


class EndsForGood(Line):
    """Episodes are short where the goal is far, and after the end there are no more steps."""

    over = False

    def start(self) -> float:
        self.over = False
        return 0.0

    def step(self, action: Any) -> Answer:
        if self.over:
            raise RuntimeError("the episode is over")
        observation, reward, _, cut, info = super().step(action)
        ended = self.goal > 0.5 and self.time == 3
        self.over = ended or cut
        return observation, reward, ended, cut, info


class NoEnd(Line):
    def step(self, action: Any) -> Answer:
        self.move(action)
        return self.look(), self.reward(), False, False, {}


class NotFinite(Line):
    def reward(self) -> Any:
        return np.nan if self.time == 3 else 0.0


class ArrayTasks(Line):
    """A task is a number, and several come as an array."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return self.np_random.uniform(-1.0, 1.0, num_tasks)

    def reset_task(self, task: Any) -> None:
        self.goal = float(task)


class ListTasks(Line):
    """A task is a list, one to three goals long."""

    def sample_tasks(self, num_tasks: int) -> Any:
        lengths = self.np_random.integers(1, 4, num_tasks)
        return [self.np_random.uniform(-1.0, 1.0, length).tolist() for length in lengths]

    def reset_task(self, task: Any) -> None:
        self.goal = float(np.mean(task))


class FewTasks(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        return super().sample_tasks(num_tasks - 1)


class NoTasks(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        return {"goal": self.np_random.uniform(-1.0, 1.0, num_tasks)}


class OddNumbers(Line):
    """Rewards and flags in arrays of one number."""

    def step(self, action: Any) -> Answer:
        observation, reward, ended, cut, info = super().step(action)
        return observation, np.array([reward]), np.array([ended]), np.array([[cut]]), info


class TwoRewards(Line):
    def reward(self) -> Any:
        return [1.0, 2.0]


class Images(Line):
    observation_space = spaces.Box(0, 255, (8, 8), np.uint8)

    def look(self) -> Any:
        return np.full((8, 8), 200, np.uint8)


class BigNumbers(Line):
    """Observations of the order of 1e4."""

    def look(self) -> Any:
        return 1e4 * super().look()


class Scaled(Line):
    """Rewards in another unit."""

    def __init__(self, scale: float = 1.0) -> None:
        super().__init__()
        self.scale = scale

    def reward(self) -> Any:
        return self.scale * super().reward()


class AlwaysMinusOne(Line):
    def reward(self) -> Any:
        return -1.0


class Spaces(Line):
    """Observes and acts in any spaces; the last action is kept."""

    def __init__(self, observation_space: Any, action_space: Any) -> None:
        super().__init__()
        self.observation_space, self.action_space = observation_space, action_space
        self.observation_space.seed(0)
        self.acted: Any = None

    def look(self) -> Any:
        return self.observation_space.sample()

    def move(self, action: Any) -> None:
        assert self.action_space.contains(action), f"{action!r} is not in {self.action_space}"
        self.acted = action
        self.time += 1


class OldStep(Line):
    """step() returns four values."""

    def step(self, action: Any) -> Any:
        observation, reward, _, cut, info = super().step(action)
        return observation, reward, cut, info


class OldReset(Line):
    """reset() takes no seed."""

    def reset(self) -> Any:  # type: ignore[override]
        return super().reset()


class BareReset(Line):
    """reset() returns the observation alone."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        return super().reset(seed=seed)[0]


class CrashOnNaN(Line):
    """A simulator that ends its process at an action that is not finite."""

    def move(self, action: Any) -> None:
        if not np.isfinite(action).all():
            os.abort()
        super().move(action)


class FailsAtStep(Line):
    def move(self, action: Any) -> None:
        raise ArithmeticError("too far")
