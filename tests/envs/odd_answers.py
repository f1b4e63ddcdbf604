"""Task distributions whose tasks or answers are not what they should be, one way each."""

from enum import Enum
from typing import Any

import numpy as np
import torch
from gymnasium import spaces

from tests.envs.peculiar import Answer, Line, TwinLineVectorEnv

GOALS = np.random.default_rng().uniform(-1.0, 1.0, 1000)
"""Others in each process."""


class GoalsOfTheImport(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": GOALS[i]} for i in self.np_random.integers(1000, size=num_tasks)]


class OrderOfASet(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        names = [*{"north", "east", "south", "west", "here"}]
        return [{"goal": len(names[i]), "name": names[i]} for i in self.np_random.permutation(5)[:num_tasks]]


class UnseededTests(Line):
    def sample_test_tasks(self, num_tasks: int) -> Any:
        return [{"goal": goal} for goal in np.random.default_rng().uniform(-1.0, 1.0, num_tasks)]


class FewTests(Line):
    def sample_test_tasks(self, num_tasks: int) -> Any:
        return [{"goal": 0.5}]


class TwoTasks(Line):
    """Of which four draws of the check's seed are one."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": (-0.5, 0.5)[choice]} for choice in self.np_random.integers(2, size=num_tasks)]


class AltersTasks(Line):
    def reset_task(self, task: Any) -> None:
        task["goal"] *= 2
        super().reset_task(task)


class Goal:
    """No plain data: nothing tells two apart, or that they are alike."""

    def __init__(self, goal: float):
        self.goal = goal


class ObjectTasks(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        return [Goal(goal) for goal in self.np_random.uniform(-1.0, 1.0, num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = task.goal


class FunctionTasks(ObjectTasks):
    def sample_tasks(self, num_tasks: int) -> Any:
        return [lambda: 0.5 for _ in range(num_tasks)]

    def reset_task(self, task: Any) -> None:
        self.goal = task()


class Tells(Line):
    """Args: success: as `step` tells it."""

    metadata = {"render_modes": [], "extras": ("power",)}

    def __init__(self, success: Any = 0.0, power: Any = 0.0):
        super().__init__()
        self.told = {"success": success, "power": power}

    def step(self, action: Any) -> Answer:
        observation, reward, ended, cut, _ = super().step(action)
        return observation, reward, ended, cut, self.told


class TellsArrays(Tells):
    def __init__(self) -> None:
        super().__init__(np.array([True]), torch.tensor([2.0]))


class OddReward(Line):
    def reward(self) -> Any:
        return np.zeros(2)


class ScaledReward(Line):
    """Args: scale: of the reward."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = scale

    def reward(self) -> Any:
        return self.scale * (1.0 + super().reward())


class WornOut(Line):
    """Its rewards are NaN from the second episode on."""

    episodes = 0

    def start(self) -> float:
        self.episodes += 1
        return super().start()

    def reward(self) -> Any:
        return super().reward() if self.episodes < 2 else float("nan")


class HugeObservation(Line):
    observation_space = spaces.Box(-np.inf, np.inf, (1,), np.float64)

    def look(self) -> Any:
        return np.array([1e300 + self.place])


class NarrowBox(Line):
    observation_space = spaces.Box(-0.01, 0.01, (2,), np.float32)


class FailsAtReset(Line):
    def start(self) -> float:
        raise RuntimeError("no licence")


class FailsAtTasks(Line):
    def sample_tasks(self, num_tasks: int) -> Any:
        raise RuntimeError("no tasks\nleft")


class MatrixTasks(Line):
    """Tasks that Python spells in several lines."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": goal, "map": np.eye(3)} for goal in self.np_random.uniform(-1.0, 1.0, num_tasks)]

    def reset_task(self, task: Any) -> None:
        task["map"] *= 2
        super().reset_task(task)


class BrainFloats(Line):
    def reward(self) -> Any:
        return torch.tensor(super().reward(), dtype=torch.bfloat16)


class StrictChoices(Line):
    """Args: of: the type of its choices."""

    def __init__(self, of: str = "uint8"):
        super().__init__()
        self.action_space = spaces.Discrete(3, dtype=np.dtype(of).type)

    def move(self, action: Any) -> None:
        assert self.action_space.contains(action)
        super().move(np.array([float(action) - 1.0]))


class OddFlag(Line):
    def step(self, action: Any) -> Answer:
        observation, reward, _, truncated, info = super().step(action)
        return observation, reward, float("nan"), truncated, info


class ChoicesFromOne(Line):
    """Args: first: what is observed in each step."""

    observation_space = spaces.Discrete(3, start=1)

    def __init__(self, first: int = 1):
        super().__init__()
        self.first = first

    def look(self) -> Any:
        return self.first


class PartsOfChoices(Line):
    observation_space = spaces.Dict({"flags": spaces.MultiBinary(2), "place": spaces.Box(-9, 9, (1,))})

    def look(self) -> Any:
        return {"flags": np.array([0, 2]), "place": np.array([self.place])}


class WithAutograd(Line):
    """Its reward is a gradient, and a tensor of a graph."""

    def reward(self) -> Any:
        place = torch.tensor(self.place - self.goal, requires_grad=True)
        (slope,) = torch.autograd.grad(-place.square(), place)
        return slope * place


class HalfPrecision(Line):
    """Args: high: of the Box of actions."""

    def __init__(self, high: float = 1.0):
        super().__init__()
        self.action_space = spaces.Box(-high, high, (1,), np.float16)

    def move(self, action: Any) -> None:
        assert action.dtype == np.float16
        super().move(action)


class GlobalDraws(Line):
    """Draws from a global generator in each step."""

    def reward(self) -> Any:
        return super().reward() + np.random.normal()


class Colour(Enum):
    RED = 1
    BLUE = 2


class TwinTells(Line):
    """Args: kind: what its batched version does otherwise."""

    def __init__(self, kind: str = "") -> None:
        super().__init__()

    def step(self, action: Any) -> Answer:
        observation, reward, ended, cut, _ = super().step(np.clip(action, -1.0, 1.0))
        return observation, reward, ended, cut, {"success": 1.0}


class TwinTellsVectorEnv(TwinLineVectorEnv):
    """`TwinTells`, but for one thing."""

    def __init__(self, num_envs: int = 1, kind: str = ""):
        super().__init__(num_envs)
        self.kind = kind
        if kind == "space":
            self.single_observation_space = spaces.Box(-np.inf, np.inf, (3,), np.float32)

    def _advance(self, actions: Any) -> Any:
        observations, rewards, ended = super()._advance(actions)
        if self.kind == "later":
            rewards = rewards + [1e-9, 0, 0.25, 0][: self.num_envs]
        return observations, rewards[:, None] if self.kind == "shape" else rewards, ended

    def _extras(self) -> Any:
        return {"success": np.full(self.num_envs, float(self.kind != "success"))}
