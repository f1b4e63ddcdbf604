"""Rollouts of environments that reuse the arrays which they hand out or are given."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch

from maml_rl.envs import Task, TaskVectorEnv
from maml_rl.envs.task_env import Array
from maml_rl.policies.actor import FeedForwardActor
from maml_rl.samplers.rollout import ActionNoise, rollout
from tests.builders import make_policy

BOX = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)


class Counting(TaskVectorEnv):
    """Observes the time, in an array that it goes on using, in float64; wipes the actions that it gets."""

    def __init__(self, num_envs: int, max_episode_steps: int):
        super().__init__(num_envs, max_episode_steps, BOX, BOX)
        self._time, self._rewards = np.zeros((num_envs, 2)), np.zeros(num_envs)

    def _set_tasks(self, tasks: Any) -> None: ...

    def _start(self) -> Array:
        self._time[:] = 0.0
        return self._time

    def _advance(self, actions: Array) -> tuple[Array, Array, Any]:
        self._time += 1.0
        self._rewards[:] = self._time[:, 0]
        actions[:] = np.nan
        return self._time, self._rewards, np.zeros(self.num_envs, bool)


class WithoutOptions(Counting):
    def reset(self, *, seed: Any = None) -> Any:  # type: ignore[override]
        return super().reset(seed=seed)


def test_a_reset_that_knows_of_no_options():
    policy = make_policy("normal")
    seen = []
    for kind in (Counting, WithoutOptions):
        env = kind(3, max_episode_steps=4)
        env.reset_task([{}])
        noise = ActionNoise(policy, [np.random.SeedSequence(0)], 3)
        actor = FeedForwardActor(policy, policy.get_vector()[None])
        seen.append(rollout(env, actor, noise, [0]).actions)
    assert torch.equal(*seen)


def test_what_an_environment_writes_to_later_is_recorded_as_it_was():
    env, policy = Counting(3, max_episode_steps=4), make_policy("normal")
    tasks: list[Task] = [{}]
    env.reset_task(tasks)
    noise = ActionNoise(policy, [np.random.SeedSequence(0)], 3)
    data = rollout(env, FeedForwardActor(policy, policy.get_vector()[None]), noise, [0])
    assert data.observations[0, :, 0].tolist() == [[0, 0], [1, 1], [2, 2], [3, 3]]
    assert data.last_observations is not None
    assert data.last_observations[0].tolist() == [[4, 4]] * 3
    assert data.rewards[0, :, 0].tolist() == [1, 2, 3, 4]
    assert data.actions.isfinite().all()
    assert data.observations.dtype == data.rewards.dtype == torch.float32
