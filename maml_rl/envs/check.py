"""A check of task distributions: what they promise, tried out, and what they cost.

After Stable-Baselines3's `check_env`. Episodes are compared to the bit.
"""

import math
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from functools import partial
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec

from maml_rl._system.elsewhere import in_another_process
from maml_rl._system.own_code import failure
from maml_rl.envs.playback import (
    SEED,
    Between,
    Step,
    actions_of,
    difference,
    episode,
    fresh_episode,
    unseeded_episode,
)
from maml_rl.envs.registry import find_spec, is_shipped, make_env
from maml_rl.envs.task_env import Task
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.errors import shown

QUICK_STEPS, STEPS = 20, 300
"""Time steps of the episodes that are compared, in the quick part and in the whole."""
QUICK_SECONDS = 0.5
PATIENCE = 2.0
"""Seconds that an episode without a time limit has to end by itself."""
TASKS = 4


class Finding(NamedTuple):
    """Something that a check has found.

    Args:
        breaks: whether a promise of maml_rl does not hold in this environment; otherwise it is advice.
    """

    breaks: bool
    message: str


class EnvCheck:
    """Checks of one environment; each is a generator of findings.

    Args:
        steps: at most, of the episodes that are compared.
    """

    def __init__(self, env: str | EnvSpec, env_kwargs: Mapping[str, Any] | None = None, steps: int = STEPS):
        self.spec = find_spec(env) if isinstance(env, str) else env
        self.env_kwargs = dict(env_kwargs or {})
        self.env = self.make()
        self.tasks = EnvTaskSpace(self.env).sample(SEED, TASKS)
        self.actions = actions_of(self.env.action_space, steps)

    def make(self) -> gym.Env[Any, Any]:
        """Make a copy of the environment."""
        return make_env(self.spec, self.env_kwargs)

    def episode(self, env: gym.Env[Any, Any], task: Task) -> list[Step]:
        """Run an episode."""
        return episode(env, task, self.actions)

    def quick(self, seconds: float = math.inf) -> Iterator[Finding]:
        """Yield the findings of what takes little time, up to the first check that finds a promise broken.

        Args:
            seconds: after which no other check begins.
        """
        started = time.perf_counter()
        for check in (self.values, self.draws, self.repeats, self.differs, self.shares, self.generators):
            findings = [*check()] if time.perf_counter() - started < seconds else []
            yield from findings
            if any(found.breaks for found in findings):  # What follows would find the same once more.
                return

    def values(self) -> Iterator[Finding]:
        """Look at observations, rewards and flags, as the environment itself returns them."""
        space = self.env.observation_space
        observation, _ = self.env.reset(seed=SEED)
        if np.shape(observation) != space.shape:
            shape = [*np.shape(observation)]
            yield Finding(True, f"reset() returned an observation of shape {shape}, its space is {space}")
            return
        for action in self.actions[:QUICK_STEPS]:
            observation, reward, terminated, truncated, _ = self.env.step(action)
            numbers = {"an observation": observation, "a reward": reward}
            for name, value in numbers.items():
                if not np.isfinite(np.asarray(value, float)).all():
                    yield Finding(True, f"step() returned {name} that is NaN or infinite: {shown(value)}")
                    return
            if terminated or truncated:
                return

    def draws(self) -> Iterator[Finding]:
        """Compare tasks drawn twice with one seed."""
        again = EnvTaskSpace(self.env).sample(SEED, TASKS)
        with closing(self.make()) as copy:
            fresh = EnvTaskSpace(copy).sample(SEED, TASKS)
        for others, where in ((again, "twice"), (fresh, "in a copy of the environment")):
            if (text := text_of(others)) != text_of(self.tasks):
                yield Finding(
                    True,
                    f"sample_tasks, {where} after reset(seed={SEED}), drew {text_of(self.tasks)[:100]} "
                    f"and then {text[:100]}: draw from self.np_random alone",
                )
                return
        if text_of(self.tasks[:1] * TASKS) == text_of(self.tasks):
            task = shown(self.tasks[0])
            yield Finding(False, f"sample_tasks({TASKS}) drew the same task {TASKS} times: {task}")

    def generators(self) -> Iterator[Finding]:
        """Look whether the global random generators are used."""
        before = generator_states()
        self.env.reset(seed=SEED)
        self.env.unwrapped.sample_tasks(1)  # type: ignore[attr-defined]
        unseeded_episode(self.env, self.tasks[0], self.actions, lambda: None)
        for name, state in generator_states().items():
            if state != before[name]:
                yield Finding(
                    False,
                    f"it draws from the global generator of {name}: maml_rl seeds that before each round, "
                    "but self.np_random is the environment's own",
                )

    def repeats(self) -> Iterator[Finding]:
        """Compare an episode in a used environment and in a fresh one."""
        for task in self.tasks[:2]:
            first, again = self.episode(self.env, task), self.episode(self.env, task)
            with closing(self.make()) as fresh:
                elsewhere = self.episode(fresh, task)
            found = parted(
                (first, again),
                "the same task, seed and actions gave two episodes one after the other",
                "something outlives reset(seed=…), or is drawn from a generator that it does not seed",
            ) or parted(
                (first, elsewhere),
                "the same task, seed and actions gave another episode in a copy of the environment",
                "a task must say all that differs, and nothing may be drawn when it is made",
            )
            yield from found
            if found:
                return

    def differs(self) -> Iterator[Finding]:
        """Compare the episodes of two tasks."""
        episodes = [self.episode(self.env, task) for task in self.tasks]
        if text_of(self.tasks[:1]) != text_of(self.tasks[1:2]) and not any(
            difference(episodes[0], other) for other in episodes[1:]
        ):
            yield Finding(
                False,
                f"{TASKS} tasks gave the same episode, {len(episodes[0]) - 1} steps long: "
                "does reset_task have an effect, and at the next reset?",
            )

    def shares(self) -> Iterator[Finding]:
        """Step two copies in turn, and compare with one alone."""
        alone = self.episode(self.env, self.tasks[0])
        with closing(self.make()) as other:
            other.unwrapped.reset_task(self.tasks[1])  # type: ignore[attr-defined]
            between = Between(other, self.actions[::-1])
            together = episode(self.env, self.tasks[0], self.actions, between.step)
        yield from parted(
            (alone, together),
            "an episode came out otherwise while a copy of the environment was stepped in between",
            "copies share something, and a process holds many of them",
        )

    def ends(self) -> Iterator[Finding]:
        """Look whether episodes end."""
        if self.env.spec is not None and self.env.spec.max_episode_steps is not None:
            return
        self.env.reset(seed=SEED)
        started, steps = time.perf_counter(), 0
        while time.perf_counter() - started < PATIENCE:
            _, _, terminated, truncated, _ = self.env.step(self.actions[steps % len(self.actions)])
            steps += 1
            if terminated or truncated:
                return
        yield Finding(
            True,
            f"it has no time limit, and no episode ended in {steps:,} steps: "
            "register it with max_episode_steps, or give that in env-kwargs",
        )

    def travels(self) -> Iterator[Finding]:
        """Compare an episode with that of another process."""
        here = self.episode(self.env, self.tasks[0])
        run = partial(fresh_episode, self.spec, self.env_kwargs, self.tasks[0], self.actions)
        try:
            there = in_another_process(run)
        except Exception as error:  # Whatever somebody's environment raises.
            said = f"in another process it fails: {failure(error)}; num-workers 0 samples in this one"
            yield Finding(True, said)
            return
        yield from parted(
            (here, there),
            "the same task, seed and actions gave another episode in another process",
            "what a script sets after the import does not travel to workers; env-kwargs and tasks do",
        )


def check_env(env: str | EnvSpec, env_kwargs: Mapping[str, Any] | None = None) -> list[Finding]:
    """Check that a task distribution keeps what samplers rely on; return what does not hold.

    Args:
        env: a registered id, or ``package.module:EnvClass``.
        env_kwargs: of the environment.

    Raises:
        UsageError: it cannot be made, is no task distribution, or has spaces that no policy fits.
    """
    check = EnvCheck(env, env_kwargs)
    with closing(check.env):
        findings = [*_as_finding(check.quick()), *_as_finding(check.ends())]
        if not any(found.breaks for found in findings):
            findings += check.travels()
        return findings


def quick_findings(env: str, env_kwargs: Mapping[str, Any]) -> list[Finding]:
    """Return what a check finds in half a second, or so.

    Not checked are the environments that ship with maml_rl, and those of which a copy takes as long to make.

    Raises:
        UsageError: as `check_env`.
    """
    spec = find_spec(env)
    if is_shipped(spec):
        return []
    started = time.perf_counter()
    check = EnvCheck(spec, env_kwargs, QUICK_STEPS)
    with closing(check.env):
        if time.perf_counter() - started > QUICK_SECONDS:
            return []
        findings: list[Finding] = []
        with suppress(Exception):  # What fails here will fail in a worker, with its traceback.
            findings.extend(check.quick(QUICK_SECONDS))
        return findings


def _as_finding(findings: Iterator[Finding]) -> Iterator[Finding]:
    """Yield the findings, and an exception of the environment's as one more."""
    try:
        yield from findings
    except Exception as error:  # It is anybody's.
        yield Finding(True, f"it fails: {failure(error)}")


def parted(episodes: tuple[Sequence[Step], Sequence[Step]], said: str, advice: str) -> list[Finding]:
    """Return a broken promise if two episodes part, with where they do."""
    where = difference(*episodes)
    return [Finding(True, f"{said}: {where}: {advice}")] if where else []


def text_of(tasks: Sequence[Task]) -> str:
    """Return tasks as a text that tells different ones apart."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr([*tasks])


def generator_states() -> dict[str, Any]:
    """Return the states of the global random generators."""
    numpy = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "Python": random.getstate(),
        "NumPy": (numpy[1].tobytes(), *numpy[2:]),  # type: ignore[index]
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
