"""Checks of what an environment returns, what it takes, and when it ends."""

import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from gymnasium import spaces

from maml_rl._system.own_code import failure
from maml_rl.envs.adapter import EXTRAS
from maml_rl.envs.checks.trial import Finding, Trial
from maml_rl.envs.contract import LARGEST, array_of, number_of, set_task
from maml_rl.envs.playback import SEED, difference
from maml_rl.envs.task_env import LONGEST_EPISODE, Array
from maml_rl.errors import shown

LARGEST_LOSS = 1e-3
"""Largest rounding of rewards to float32, as a part of their range."""
PATIENCE = 2.0
"""Seconds that an episode without a time limit has to end by itself."""


def values(trial: Trial) -> Iterator[Finding]:
    """Look at observations, rewards, flags and successes, as the environment itself returns them."""
    space = trial.env.observation_space
    assert isinstance(space, spaces.Box)
    names = {*EXTRAS, *trial.env.metadata.get("extras", ())}
    set_task(trial.env, trial.tasks[0])
    observation, _ = trial.env.reset(seed=SEED)
    if misshapen := _misshapen("reset", observation, space):
        yield misshapen
        return
    outlying, rewards = None, []
    for action in trial.actions:
        observation, reward, terminated, truncated, info = trial.env.step(action)
        if misshapen := _misshapen("step", observation, space):
            yield misshapen
            return
        numbers = array_of(observation)
        if not (np.abs(numbers) <= LARGEST).all():
            yield Finding(
                True,
                f"step() returned an observation that is NaN or infinite, as float32: {shown(observation)}",
            )
            return
        if outlying is None and not ((space.low <= numbers) & (numbers <= space.high)).all():
            outlying = observation
        told = {f"info['{name}']": info[name] for name in info if name in names}
        rewards.append(number_of("reward", reward, finite=True))
        for name, value in told.items():
            number_of(name, value, finite=True)
        if number_of("terminated", terminated, finite=True) or number_of("truncated", truncated, finite=True):
            break
    if outlying is not None:
        yield Finding(False, f"step() returned an observation outside of {space}: {shown(outlying)}")
    lost = np.abs(np.subtract(rewards, np.asarray(rewards, np.float32))).max()
    if 0 < LARGEST_LOSS * np.ptp(rewards) < lost:
        yield Finding(
            False,
            f"rewards from {min(rewards):.9g} to {max(rewards):.9g} differ by too little for float32, which "
            "training uses: subtract a constant",
        )


def _misshapen(method: str, observation: Any, space: spaces.Space[Any]) -> Finding | None:
    """Return what is to be said of an observation that has another shape than its space."""
    shape = array_of(observation).shape
    if shape == space.shape:
        return None
    return Finding(True, f"{method}() returned an observation of shape {[*shape]}, its space is {space}")


def outside(trial: Trial) -> Iterator[Finding]:
    """Compare episodes of actions outside of their Box, which policies draw, and of actions at its edge.

    Where actions are clipped on their way to the environment, there is nothing to find.
    """
    space = trial.env.action_space
    if not isinstance(space, spaces.Box):
        return
    edge, beyond = zip(*(_at_and_beyond(space, action) for action in trial.actions), strict=True)
    advice = "clip them in step()"
    if not trial.copies.are_native and np.isfinite([space.low, space.high]).all():
        advice = "leave clip_actions in env-kwargs at true"
    inside = trial.episode(trial.tasks[0], edge)
    try:
        there = trial.episode(trial.tasks[0], beyond)
    except (Exception, SystemExit) as error:  # Whatever somebody's environment raises.
        yield Finding(
            True,
            f"it fails at actions outside of its Box, which policies do draw: {failure(error)}: {advice}",
        )
        return
    if where := difference(inside, there):
        yield Finding(
            False,
            "actions outside of its Box have an effect of their own, unlike those at its edge: "
            f"{where}: {advice}, if that is not meant",
        )


def _at_and_beyond(space: spaces.Box, action: Array) -> tuple[Array, Array]:
    """Return the action's nearest on the edge of the Box, and one outside, where there is an edge."""
    edge = np.where(action - space.low < space.high - action, space.low, space.high)
    edge = np.where(np.isfinite(edge), edge, action)
    return edge.astype(action.dtype), (2 * edge - action + np.sign(edge - action)).astype(action.dtype)


def ends(trial: Trial) -> Iterator[Finding]:
    """Look whether episodes end."""
    if trial.env.spec is not None and trial.env.spec.max_episode_steps is not None:
        return
    trial.env.reset(seed=SEED)
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < PATIENCE and steps < LONGEST_EPISODE:
        _, _, terminated, truncated, _ = trial.env.step(trial.actions[steps % len(trial.actions)])
        steps += 1
        if terminated or truncated:
            return
    yield Finding(
        True,
        f"it has no time limit, and no episode ended in {steps:,} steps: "
        "register it with max_episode_steps, or give that in env-kwargs",
    )
