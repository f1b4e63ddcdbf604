"""Episodes under given actions, to be compared to the bit."""

import copy
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from maml_rl.envs.registry import make_env
from maml_rl.envs.task_env import Task
from maml_rl.errors import shown
from maml_rl.seeding import global_generators_kept, seed_global_generators

SEED = 7
"""Seed of every episode here."""


class Step(NamedTuple):
    """What an environment returns at a time step; at a reset, nothing but the observation."""

    observation: bytes
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False


class Between:
    """An environment that is stepped beside another one."""

    def __init__(self, env: gym.Env[Any, Any], actions: Sequence[Any]):
        self._env, self._actions = env, iter(actions)
        env.reset(seed=SEED + 1)

    def step(self) -> None:
        """Take the next action, if there is one."""
        action = next(self._actions, None)
        if action is not None:
            self._env.step(action)


def episode(
    env: gym.Env[Any, Any], task: Task, actions: Sequence[Any], between: Callable[[], object] = lambda: None
) -> list[Step]:
    """Run an episode until it ends, or the actions do; global generators are seeded as for samplers.

    Args:
        between: is called before each action.
    """
    with global_generators_kept():
        seed_global_generators(np.random.SeedSequence(SEED))
        return unseeded_episode(env, task, actions, between)


def unseeded_episode(
    env: gym.Env[Any, Any], task: Task, actions: Sequence[Any], between: Callable[[], object]
) -> list[Step]:
    """Run an episode, as `episode` does, on the global generators as they are."""
    env.unwrapped.reset_task(task)  # type: ignore[attr-defined]
    observation, _ = env.reset(seed=SEED)
    steps = [Step(np.asarray(observation, np.float32).tobytes())]
    for action in actions:
        between()
        observation, reward, terminated, truncated, _ = env.step(action)
        seen = np.asarray(observation, np.float32).tobytes()
        steps.append(Step(seen, float(np.asarray(reward).ravel()[0]), bool(terminated), bool(truncated)))
        if terminated or truncated:
            break
    return steps


def fresh_episode(
    spec: EnvSpec, env_kwargs: Mapping[str, Any], task: Task, actions: Sequence[Any]
) -> list[Step]:
    """Run an episode in a new environment."""
    with closing(make_env(spec, env_kwargs)) as env:
        return episode(env, task, actions)


def difference(first: Sequence[Step], second: Sequence[Step]) -> str:
    """Say where two episodes part; nothing if they are equal."""
    for number, (a, b) in enumerate(zip(first, second, strict=False)):
        for name, x, y in zip(Step._fields, a, b, strict=True):
            if x != y and not (x != x and y != y):
                if name == "observation":
                    x, y = (
                        list(np.frombuffer(seen, np.float32)[:4]) for seen in (a.observation, b.observation)
                    )
                    x, y = ([float(f"{v:.6g}") for v in seen] for seen in (x, y))
                return f"{name} {shown(x, 60)} and {shown(y, 60)} at step {number}"
    return "" if len(first) == len(second) else f"{len(first) - 1} and {len(second) - 1} steps"


def actions_of(space: gym.Space[Any], number: int) -> list[Any]:
    """Draw actions of a space, always the same."""
    own = copy.deepcopy(space)  # Environments may share the space, and its generator.
    own.seed(SEED)
    return [own.sample() for _ in range(number)]
