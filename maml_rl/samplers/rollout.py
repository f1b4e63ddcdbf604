"""Rolling out policies: a pure function of environments, parameters, noise and seeds."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.envs.task_env import Array, TaskVectorEnv
from maml_rl.episode import EpisodeData
from maml_rl.policies.base import Policy

Steps = tuple[list[Array], list[Array], list[Array]]
"""Observations, actions and rewards per time step, ``[N, K, …]``; there is one observation more."""

LARGEST_BLOCK = 64
"""Time steps of noise drawn at once, at most. It changes the speed alone: a stream's draws follow in time."""


def action_noise(
    policy: Policy, rngs: Sequence[np.random.Generator], batch_size: int
) -> Iterator[NDArray[np.float32]]:
    """Yield ``[N, K, ...]`` of noise per time step, each task's from its own stream, without end."""
    block = 1  # An episode may be one step long.
    while True:
        yield from np.stack([policy.noise(rng, (block, batch_size)) for rng in rngs], axis=1)
        block = min(2 * block, LARGEST_BLOCK)


def rollout(
    env: TaskVectorEnv,
    policy: Policy,
    params: Float[Tensor, "N P"],
    noise: Iterator[NDArray[np.float32]],
    seeds: Sequence[int],
) -> EpisodeData:
    """Run every sub-environment of ``env`` for one episode, task ``n``'s under ``params[n]``.

    Args:
        env: with N tasks set, of K episodes each.
        noise: per time step, what the policy turns into N K actions.
        seeds: of the environments, one per task.
    """
    # The episodes' tensors are made outside of inference mode, where autograd may meet them.
    return _stack(*_run(env, policy, params, noise, seeds))


@torch.inference_mode()
def _run(
    env: TaskVectorEnv,
    policy: Policy,
    params: Float[Tensor, "N P"],
    noise: Iterator[NDArray[np.float32]],
    seeds: Sequence[int],
) -> tuple[Steps, NDArray[np.int64], NDArray[np.bool_]]:
    """Return the steps, and the episodes' lengths and whether time cut them, ``[N, K]``."""
    shape = (params.shape[0], env.episodes_per_task)
    act = policy.at(policy.unflatten(params))
    observation, _ = env.reset(seed=seeds)
    truncated = np.zeros(env.num_envs, bool)
    lengths = np.zeros(env.num_envs, np.int64)
    observations: list[Array] = []
    actions: list[Array] = []
    rewards: list[Array] = []

    def record(observation: Array) -> Array:
        # Copies, of actions too: what an environment is given or returns it may write to later.
        observations.append(np.array(observation, np.float32).reshape(*shape, *observation.shape[1:]))
        return observations[-1]

    while env.running.any():
        lengths += env.running
        pi = act(torch.from_numpy(record(observation).reshape(*shape, -1)))
        action = pi.sample(torch.from_numpy(next(noise))).numpy()
        actions.append(action)
        observation, reward, _, cut, _ = env.step(action.reshape(-1, *action.shape[2:]).copy())
        rewards.append(np.array(reward).reshape(shape))
        truncated |= cut
    record(observation)
    return (observations, actions, rewards), lengths.reshape(shape), truncated.reshape(shape)


def _stack(steps: Steps, lengths: NDArray[np.int64], truncated: NDArray[np.bool_]) -> EpisodeData:
    """Return the steps as episodes, time second."""
    all_observations, actions, rewards = (np.stack(arrays, axis=1) for arrays in steps)
    task, episode = np.indices(lengths.shape)
    last_observations = all_observations[task, lengths, episode]
    observations = all_observations[:, :-1]
    finished = np.arange(rewards.shape[1])[:, None] >= lengths[:, None, :]
    for array in (observations, actions, rewards):
        array[finished] = 0
    return EpisodeData(
        torch.from_numpy(observations),
        torch.from_numpy(actions),
        torch.from_numpy(rewards.astype(np.float32)),
        torch.from_numpy(lengths),
        torch.from_numpy(last_observations),
        torch.from_numpy(truncated),
    )
