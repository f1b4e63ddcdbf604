"""Episodes under given actions, to be compared to the bit."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from maml_rl.envs.adapter import EXTRAS
from maml_rl.envs.contract import array_of, number_of, set_task
from maml_rl.envs.task_env import Task, TaskVectorEnv
from maml_rl.seeding import global_generators_kept, seed_global_generators

SEED = 7
"""Seed of every episode here."""


class Step(NamedTuple):
    """What an environment returns at a time step; at a reset, nothing but the observation."""

    observation: bytes
    reward: float = 0.0
    terminated: bool = False
    truncated: bool = False
    success: float = 0.0


class Between:
    """An environment that is stepped beside another one, from one episode to the next.

    It draws from global generators without a trace: the other one is to find them as if it were alone.
    """

    def __init__(self, env: gym.Env[Any, Any], actions: Sequence[Any]):
        self._env, self._actions = env, iter(actions)
        self._env.reset(seed=SEED + 1)

    def step(self) -> None:
        """Take the next action, if there is one."""
        action = next(self._actions, None)
        if action is not None:
            with global_generators_kept():
                _, _, terminated, truncated, _ = self._env.step(action)
                if terminated or truncated:
                    self._env.reset(seed=SEED + 1)


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
    set_task(env, task)
    observation, _ = env.reset(seed=SEED)
    steps = [Step(_bytes_of(observation))]
    for action in actions:
        between()
        observation, reward, terminated, truncated, info = env.step(action)
        flags = bool(number_of("terminated", terminated)), bool(number_of("truncated", truncated))
        told = [number_of(f"info['{name}']", info[name]) for name in EXTRAS if name in info]
        steps.append(Step(_bytes_of(observation), number_of("reward", reward), *flags, *told[:1]))
        if any(flags):
            break
    return steps


def batched_episodes(batch: TaskVectorEnv, tasks: Sequence[Task], actions: Sequence[Any]) -> list[list[Step]]:
    """Run an episode of each task side by side, as `episode` does each alone."""
    with global_generators_kept():
        seed_global_generators(np.random.SeedSequence(SEED))
        batch.reset_task(tasks)
        observations, _ = batch.reset(seed=[SEED] * len(tasks))
        episodes = [[Step(_bytes_of(seen))] for seen in observations]
        for action in actions:
            running = batch.running.copy()
            observations, rewards, terminated, truncated, info = batch.step(np.stack([action] * len(tasks)))
            success = info.get("success", np.zeros(len(tasks)))
            for n in np.flatnonzero(running):
                numbers = float(rewards[n]), bool(terminated[n]), bool(truncated[n]), float(success[n])
                episodes[n].append(Step(_bytes_of(observations[n]), *numbers))
    return episodes


def _bytes_of(observation: Any) -> bytes:
    with np.errstate(over="ignore"):  # Another check tells of it.
        return array_of(observation).astype(np.float32).tobytes()


class Difference(NamedTuple):
    """A quantity that differs between two episodes, at a time step."""

    step: int
    name: str
    values: tuple[Any, Any]

    @property
    def size(self) -> float:
        """How far numbers are from each other, relative to those above 1; infinite for what is no number."""
        x, y = self.values
        size = abs(x - y) / max(1.0, abs(x)) if isinstance(x, float) else math.inf
        return size if math.isfinite(size) else math.inf

    def __str__(self) -> str:
        x, y = (f"{value:.9g}" if isinstance(value, float) else value for value in self.values)
        return f"{self.name} {x} and {y} at step {self.step}"


def differences(first: Sequence[Step], second: Sequence[Step]) -> Iterator[Difference]:
    """Yield what differs between two episodes, in time."""
    for step, (a, b) in enumerate(zip(first, second, strict=False)):
        if a.observation != b.observation:
            yield _of_observations(step, a.observation, b.observation)
        for name in ("reward", "terminated", "truncated", "success"):
            x, y = getattr(a, name), getattr(b, name)
            if x != y and not (x != x and y != y):
                yield Difference(step, name, (x, y))
    if len(first) != len(second):
        last = min(len(first), len(second)) - 1
        yield Difference(last, "steps of the episode", (len(first) - 1, len(second) - 1))


def difference(first: Sequence[Step], second: Sequence[Step]) -> Difference | None:
    """Return what differs first; None if the episodes are equal."""
    return next(differences(first, second), None)


def _of_observations(step: int, a: bytes, b: bytes) -> Difference:
    """Return where two observations differ most."""
    if len(a) != len(b):
        return Difference(step, "numbers of the observation", (len(a) // 4, len(b) // 4))
    x, y = np.frombuffer(a, np.float32), np.frombuffer(b, np.float32)
    differ = np.flatnonzero(x.view(np.uint32) != y.view(np.uint32))
    found = (Difference(step, f"observation[{i}]", (float(x[i]), float(y[i]))) for i in differ)
    return max(found, key=lambda where: where.size)


def actions_of(space: gym.Space[Any], number: int) -> list[Any]:
    """Draw actions of a space, always the same."""
    own = copy.deepcopy(space)  # Environments may share the space, and its generator.
    own.seed(SEED)
    return [own.sample() for _ in range(number)]
