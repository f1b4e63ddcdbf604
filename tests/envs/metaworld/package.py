"""Episodes in the package metaworld itself; whatever imports this is skipped where that is missing."""

import pickle
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest

metaworld = pytest.importorskip("metaworld")
LARGEST_ERROR = 2e-15
"""The difference of rewards that counts as rounding, relative to 1."""


class Played(NamedTuple):
    observations: np.ndarray
    rewards: np.ndarray
    successes: np.ndarray


def fresh_env(name: str, reward_version: str = "v2") -> Any:
    env = metaworld.env_dict.ALL_V3_ENVIRONMENTS[name](reward_function_version=reward_version)
    env.reward_function_version = reward_version
    return env


def set_task(env: Any, task: dict[str, Any]) -> None:
    data = {"rand_vec": task["rand_vec"], "env_cls": type(env), "partially_observable": True}
    env.set_task(metaworld.Task(task["env"], pickle.dumps(data)))


def scripted(name: str, env: Any) -> Callable[[np.ndarray], np.ndarray]:
    """Return the package's own solution, which sees the goal."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Of the policies, about their own constants.
        from metaworld.policies import ENV_POLICY_MAP

        policy = ENV_POLICY_MAP[name]()

    def act(observation: np.ndarray) -> np.ndarray:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return policy.get_action(np.concatenate([observation[:-3], env._target_pos]))

    return act


def play(env: Any, task: dict[str, Any], actions: np.ndarray, name: str | None = None) -> Played:
    """Play an episode in the package's environment.

    Args:
        actions: ``[T, 4]``; those of the scripted policy of ``name`` are written there instead.
    """
    set_task(env, task)
    observation, _ = env.reset()
    act = scripted(name, env) if name else None
    observations, rewards, successes = [observation.copy()], [], []
    for action in actions:
        if act:
            action[:] = act(observation)
        observation, reward, _, _, info = env.step(action)
        observations.append(observation.copy())
        rewards.append(float(reward))
        successes.append(float(info["success"]))
    return Played(np.array(observations), np.array(rewards), np.array(successes))


def play_batch(env: Any, tasks: list[dict[str, Any]], actions: np.ndarray) -> list[Played]:
    """Play episodes in the batch, one per row of ``actions``, ``[T, rows, 4]``."""
    env.reset_task(tasks)
    observation, _ = env.reset(seed=0)
    observations, rewards, successes = [observation], [], []
    for action in actions:
        observation, reward, _, _, info = env.step(action)
        observations.append(observation)
        rewards.append(reward)
        successes.append(info["success"])
    return [
        Played(*(np.array(arrays)[:, row] for arrays in (observations, rewards, successes)))
        for row in range(actions.shape[1])
    ]


def assert_same(expected: Played, got: Played) -> None:
    np.testing.assert_array_equal(got.observations, expected.observations)
    np.testing.assert_allclose(got.rewards, expected.rewards, rtol=LARGEST_ERROR, atol=LARGEST_ERROR)
    np.testing.assert_array_equal(got.successes, expected.successes)
