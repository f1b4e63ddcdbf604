"""Environments as other libraries have them: their interfaces, around a point that should reach a goal.

Each has the peculiarities of its library: where the seed goes, what `reset` and `step` return.
"""

from collections.abc import Sequence
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

BOX = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
MOVES = gym.spaces.Box(-0.5, 0.5, (2,), np.float32)
STEPS = 6


class Box:
    """A space of old gym's."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = np.full(2, low, np.float32), np.full(2, high, np.float32)
        self.shape, self.dtype = (2,), np.dtype(np.float32)


class Learn2Learn:
    """Old gym's interface: ``seed``, a bare observation, four values. A task is a dict."""

    def __init__(self, task: Any = None) -> None:
        self.observation_space, self.action_space = Box(-np.inf, np.inf), Box(-0.5, 0.5)
        self.seed()
        self.set_task(self.sample_tasks(1)[0] if task is None else task)

    def seed(self, seed: int | None = None) -> list[Any]:
        self.random = np.random.RandomState(seed)
        return [seed]

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": goal} for goal in self.random.uniform(-1, 1, (num_tasks, 2))]

    def set_task(self, task: Any) -> None:
        self.task = task

    def get_task(self) -> Any:
        return self.task

    def reset(self, env: bool = True) -> Any:
        self.place, self.time = self.random.uniform(-0.1, 0.1, 2), 0
        return self.place

    def step(self, action: Any) -> Any:
        assert (np.abs(action) <= 0.5).all()
        self.place, self.time = self.place + action, self.time + 1
        distance = float(np.linalg.norm(self.place - self.task["goal"]))
        return self.place, -distance, distance < 0.2 or self.time >= STEPS, self.told()

    def told(self) -> dict[str, Any]:
        return {"TimeLimit.truncated": self.time >= STEPS}


class OldMetaWorld(Learn2Learn):
    """Tasks are numbers, drawn from NumPy's own generator; `reset` draws from that too."""

    def seed(self, seed: int | None = None) -> list[Any]:
        return [seed]

    def sample_tasks(self, num_tasks: int) -> Any:
        return np.random.uniform(-1, 1, num_tasks)

    def set_task(self, task: Any) -> None:
        self.task = {"goal": np.full(2, task)}

    def get_task(self) -> Any:
        return float(self.task["goal"][0])

    def reset(self, env: bool = True) -> Any:
        self.place, self.time = np.random.uniform(-0.1, 0.1, 2), 0
        return self.place


class StepType(IntEnum):
    FIRST, MID, TERMINAL, TIMEOUT = range(4)


class Garage(Learn2Learn):
    """Garage's interface: `reset` returns what is known of the episode, `step` a single object."""

    def reset(self, env: bool = True) -> Any:
        np.random.seed(self.random.randint(2**31))
        return super().reset(), {"goal": self.task["goal"]}

    def step(self, action: Any) -> Any:
        place, reward, done, told = super().step(action)
        kind = (
            StepType.TIMEOUT if told["TimeLimit.truncated"] else StepType.TERMINAL if done else StepType.MID
        )
        return SimpleNamespace(
            **{"observation": place, "reward": reward, "step_type": kind, "env_info": {"success": done}},
            **{"terminal": kind is StepType.TERMINAL, "timeout": kind is StepType.TIMEOUT},
        )


class Gym26(Learn2Learn):
    """The last gym, which has Gymnasium's interface."""

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:  # type: ignore[override]
        if seed is not None:
            self.random = np.random.RandomState(seed)
        return super().reset(), {}

    def step(self, action: Any) -> Any:
        place, reward, done, told = super().step(action)
        out_of_time = told["TimeLimit.truncated"]
        return place, reward, done and not out_of_time, out_of_time, {}


class OldSpring:
    """An environment of old gym's without tasks."""

    def __init__(self) -> None:
        self.observation_space, self.action_space = Box(-np.inf, np.inf), Box(-0.5, 0.5)
        self.mass = 1.0
        self.inverse = 1 / self.mass

    def reset(self) -> Any:
        self.place, self.time = np.zeros(2), 0
        return self.place

    def step(self, action: Any) -> Any:
        self.place, self.time = self.place + action * self.inverse, self.time + 1
        return self.place, -float(np.linalg.norm(self.place - 1)), self.time >= STEPS, {}


class GymnasiumSetTask(gym.Env[Any, Any]):
    """Gymnasium's interface, and ``set_task`` alone: its tasks are in a list."""

    observation_space, action_space = BOX, MOVES

    def set_task(self, task: Any) -> None:
        self.goal = np.asarray(task)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.place, self.time = self.np_random.uniform(-0.1, 0.1, 2).astype(np.float32), 0
        return self.place, {}

    def step(self, action: Any) -> Any:
        self.place, self.time = (self.place + action).astype(np.float32), self.time + 1
        return self.place, -float(np.linalg.norm(self.place - self.goal)), False, self.time >= STEPS, {}


class Points(VectorEnv[Any, Any, Any]):
    """A batch that holds a task per copy, and begins the next episode of a copy by itself."""

    metadata = {"autoreset_mode": AutoresetMode.NEXT_STEP, "render_modes": []}
    single_observation_space, single_action_space = BOX, MOVES

    def __init__(self, num_envs: int = 1, size: float = 1.0, render_mode: str | None = None) -> None:
        self.num_envs, self.size = num_envs, size
        self.observation_space, self.action_space = batch_space(BOX, num_envs), batch_space(MOVES, num_envs)
        self.goals = np.zeros((num_envs, 2))
        self.randoms = [np.random.default_rng() for _ in range(num_envs)]
        self.places, self.times = np.zeros((num_envs, 2)), np.zeros(num_envs, int)
        self.ended = np.zeros(num_envs, bool)

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{"goal": goal} for goal in self.randoms[0].uniform(-self.size, self.size, (num_tasks, 2))]

    def set_task(self, tasks: Sequence[Any]) -> None:
        assert len(tasks) == self.num_envs
        self.goals = np.stack([task["goal"] for task in tasks])

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        if seed is not None:
            self.randoms = [np.random.default_rng(one) for one in seed]
        self.begin(np.asarray((options or {}).get("reset_mask", np.ones(self.num_envs, bool))))
        return self.places.astype(np.float32), {}

    def begin(self, which: Any) -> None:
        for i in np.flatnonzero(which):
            self.places[i] = self.randoms[i].uniform(-0.1, 0.1, 2)
        self.times[which], self.ended[which] = 0, False

    def step(self, actions: Any) -> Any:
        assert (np.abs(actions) <= 0.5).all()
        fresh = self.ended.copy()
        self.move(actions, ~fresh)
        self.begin(fresh)
        return self.answer(fresh)

    def move(self, actions: Any, which: Any) -> None:
        self.places = np.where(which[:, None], self.places + actions, self.places)
        self.times += which

    def answer(self, fresh: Any) -> Any:
        distances = np.linalg.norm(self.places - self.goals, axis=1)
        ended, cut = (distances < 0.2) & ~fresh, (self.times >= STEPS) & ~fresh
        self.ended = ended | cut
        told = {"success": ended.astype(float), "_success": ~fresh}
        return self.places.astype(np.float32), np.where(fresh, 0.0, -distances), ended, cut, told


class SameStep(Points):
    """The next episode begins in the step that ends one."""

    metadata = {"autoreset_mode": AutoresetMode.SAME_STEP, "render_modes": []}

    def step(self, actions: Any) -> Any:
        self.move(actions, np.ones(self.num_envs, bool))
        seen, rewards, ended, cut, told = self.answer(np.zeros(self.num_envs, bool))
        over = ended | cut
        info: dict[str, Any] = {"success": np.where(over, 0.0, told["success"]), "_success": ~over}
        if over.any():
            info["final_obs"] = np.array(
                [one if done else None for one, done in zip(seen, over, strict=True)], dtype=object
            )
            info["final_info"] = {"success": told["success"], "_success": over}
        self.begin(over)
        return self.places.astype(np.float32), rewards, ended, cut, info


class Waiting(Points):
    """Whoever steps it resets the copies whose episodes are over."""

    metadata = {"autoreset_mode": AutoresetMode.DISABLED, "render_modes": []}

    def step(self, actions: Any) -> Any:
        assert not self.ended.any()
        return super().step(actions)


class Unsampled(Points):
    """Its tasks are in a list."""

    sample_tasks: Any = property(lambda self: self.nowhere)


class Taskless(VectorEnv[Any, Any, Any]):
    """It has no tasks."""


class Selector:
    """Selects one context after another, as CARL's ``RoundRobinSelector``."""

    def __init__(self, contexts: dict[Any, Any]) -> None:
        self.contexts = contexts
        self.context_id: Any = None

    def select(self) -> Any:
        self.context_id = 0 if self.context_id is None else (self.context_id + 1) % len(self.contexts)
        return [*self.contexts.values()][self.context_id]


class Carl(gym.Wrapper[Any, Any, Any, Any]):
    """CARL's interface: a wrapper that sets a context's features on the environment in it."""

    metadata: Any = {"render_modes": []}  # Gymnasium 1.1 makes no wrapper without.

    def __init__(
        self, contexts: Any = None, obs_context_features: Any = None, obs_context_as_dict: bool = True
    ):
        super().__init__(gym.make("Pendulum-v1"))
        self.contexts = contexts or {0: self.get_default_context()}
        self.context_selector: Any = Selector(self.contexts)
        default = list(self.get_default_context()) if obs_context_features is None else obs_context_features
        self.obs_context_features = default
        self.context: Any = None
        box = gym.spaces.Box(-np.inf, np.inf, (len(default),))
        self.observation_space = gym.spaces.Dict({"obs": self.env.observation_space, "context": box})

    @classmethod
    def get_default_context(cls) -> dict[str, Any]:
        return {"g": 10.0, "m": 1.0, "l": 1.0}

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        last = self.context_selector.context_id
        self.context = self.context_selector.select()
        if self.context_selector.context_id != last:
            for name, value in self.context.items():
                setattr(self.env.unwrapped, name, value)
        observation, info = self.env.reset(seed=seed)
        return self.seen(observation), info

    def step(self, action: Any) -> Any:
        observation, *others = self.env.step(action)
        return self.seen(observation), *others

    def seen(self, observation: Any) -> Any:
        context = self.context
        return {
            "obs": observation,
            "context": np.array([context[name] for name in self.obs_context_features], np.float32),
        }
