"""The registered environments, and what their tests share."""

from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from numpy.typing import NDArray

import maml_rl.envs  # noqa: F401 (registers them)

Array = NDArray[Any]

BANDIT_IDS = [f"{kind}-K{k}-v0" for kind in ("Bandit", "GaussianBandit") for k in (5, 10, 50)]
NUMPY_IDS = ["2DNavigation-v0", *BANDIT_IDS, "TabularMDP-v0"]
CHEETAH_IDS = ["HalfCheetahVel-v2", "HalfCheetahDir-v2"]
PAPER_CHEETAH_IDS = ["HalfCheetahVel-v0", "HalfCheetahDir-v0"]
PAPER_ANT_IDS = ["AntVel-v0", "AntDir-v0"]
ANT_IDS = ["AntVel-v2", "AntDir-v2", "AntPos-v1"]
HUMANOID_IDS = ["HumanoidDir-v0", "HumanoidDir2D-v0"]
WALKER_IDS = ["Walker2dVel-v0", "Walker2dDir-v0", "Walker2dRandParams-v0"]
NEAR_IDS = CHEETAH_IDS + ANT_IDS + PAPER_CHEETAH_IDS + PAPER_ANT_IDS
"""Robots whose single and batched versions agree to a tolerance."""
EXACT_IDS = ["AntGoal-v0", "AntDir2D-v0", "HopperRandParams-v0", "SwimmerVel-v0", *HUMANOID_IDS, *WALKER_IDS]
"""Robots whose single and batched versions agree to the bit."""
MUJOCO_IDS = NEAR_IDS + EXACT_IDS
ALL_IDS = NUMPY_IDS + MUJOCO_IDS
DIFFERENT_IDS = [
    "2DNavigation-v0",
    "GaussianBandit-K10-v0",
    "TabularMDP-v0",
    "HalfCheetahVel-v2",
    "AntPos-v1",
    "HalfCheetahDir-v0",
    "AntVel-v0",
    "AntDir2D-v0",
    "HumanoidDir2D-v0",
    "HopperRandParams-v0",
    "SwimmerVel-v0",
]
"""One of each kind."""

TIME_LIMITS = {"2DNavigation-v0": 100, "TabularMDP-v0": 10, **dict.fromkeys(MUJOCO_IDS, 200)}

every_id = pytest.mark.parametrize("id", ALL_IDS)
one_of_each_kind = pytest.mark.parametrize("id", DIFFERENT_IDS)


def random_actions(space: gym.Space[Any], rng: np.random.Generator, num: int) -> Array:
    """Actions for ``num`` environments; of continuous ones, many outside the space's bounds."""
    if isinstance(space, gym.spaces.Discrete):
        return rng.integers(space.n, size=num)
    assert isinstance(space, gym.spaces.Box)
    return (space.high * rng.standard_normal((num, *space.shape))).astype(np.float32)


def play(env: gym.Env[Any, Any], seed: int, steps: int = 10, actions_seed: int = 0) -> list[Any]:
    """Observations and rewards of an episode under random actions, as one flat list of numbers."""
    rng = np.random.default_rng(actions_seed)
    observation, _ = env.reset(seed=seed)
    heard = [*observation]
    for _ in range(steps):
        action = random_actions(env.action_space, rng, 1)[0]
        observation, reward, terminated, truncated, _ = env.step(action)
        heard += [*observation, reward, terminated, truncated]
        if terminated or truncated:
            break
    return heard


def play_batch(env: Any, seeds: list[int], actions: Array) -> tuple[Array, Array, Array, Array]:
    """Step ``env`` through ``actions [T, B, ...]``; return what came back, time-major, resets left out."""
    env.reset(seed=seeds)
    answers = [env.step(action)[:4] for action in actions]
    return tuple(np.stack(column) for column in zip(*answers, strict=True))  # type: ignore[return-value]


def model_arrays(model: mujoco.MjModel) -> dict[str, Array]:
    """Every number of a model, by name."""
    numbers: dict[str, Any] = {}
    for part in (model, model.opt, model.stat):
        values = {name: getattr(part, name) for name in dir(part) if not name.startswith("_")}
        numbers |= {
            f"{type(part).__name__}.{name}": np.asarray(value)
            for name, value in values.items()
            if isinstance(value, np.ndarray | float | int)
        }
    return numbers
