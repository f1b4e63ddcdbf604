"""Rolling out policies: a pure function of environments, parameters, noise and seeds."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.envs.task_env import Array, TaskVectorEnv
from maml_rl.episode import EpisodeData
from maml_rl.errors import UsageError
from maml_rl.policies.base import Policy

LARGEST_BLOCK = 64
"""Time steps of noise drawn at once, at most. It changes the speed alone: a stream's draws follow in time."""
LONGEST_EPISODE = 10_000
"""Time steps after which an episode counts as one that does not end, unless its environment has a limit."""


class NotFiniteError(FloatingPointError):
    """Observations or actions, ``[N, K, ...]``, of which some are NaN or infinite.

    Args:
        name: of the quantity, in the plural.
    """

    def __init__(self, name: str, values: Array):
        super().__init__(f"{name} are NaN or infinite")
        self.name, self.values = name, values


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

    Raises:
        NotFiniteError: actions are NaN or infinite; no environment has seen them.
        UsageError: an episode goes on and on.
    """
    # The episodes' tensors are made outside of inference mode, where autograd may meet them.
    return _run(env, policy, params, noise, seeds).episodes()


class _Recording:
    """Episodes as they are recorded, one time step after another.

    Args:
        tasks, episodes: N and K.
    """

    def __init__(self, tasks: int, episodes: int):
        self.shape = (tasks, episodes)
        self.lengths = np.zeros(tasks * episodes, np.int64)
        self.truncated = np.zeros(tasks * episodes, bool)
        self._observations: list[Array] = []
        self._actions: list[Array] = []
        self._rewards: list[Array] = []
        self._extras: list[dict[str, Array]] = []

    def __len__(self) -> int:
        """Return the time steps so far."""
        return len(self._rewards)

    def observe(self, observation: Array) -> Array:
        """Keep what comes before the next action, and return it, ``[N, K, ...]``."""
        # Copies, of actions too: what an environment is given or returns it may write to later.
        self._observations.append(
            np.array(observation, np.float32).reshape(*self.shape, *observation.shape[1:])
        )
        return self._observations[-1]

    def act(self, action: Array) -> Array:
        """Keep the actions ``[N, K, ...]``, and return them as the environment takes them."""
        self._actions.append(action)
        return action.reshape(-1, *action.shape[2:]).copy()

    def receive(self, reward: Array, truncated: Array, info: Mapping[str, Any]) -> None:
        """Keep what follows the actions."""
        self._rewards.append(np.array(reward).reshape(self.shape))
        self._extras.append({name: np.array(info[name], np.float32).reshape(self.shape) for name in info})
        self.truncated |= truncated

    def episodes(self) -> EpisodeData:
        """Return what was kept, time second."""
        lengths = self.lengths.reshape(self.shape)
        all_observations, actions, rewards = (
            np.stack(arrays, axis=1) for arrays in (self._observations, self._actions, self._rewards)
        )
        none = np.zeros(self.shape, np.float32)
        extras = {
            name: np.stack([of_step.get(name, none) for of_step in self._extras], axis=1)
            for name in sorted(set().union(*self._extras))
        }
        task, episode = np.indices(lengths.shape)
        last_observations = all_observations[task, lengths, episode]
        observations = all_observations[:, :-1]
        finished = np.arange(rewards.shape[1])[:, None] >= lengths[:, None, :]
        for array in (observations, actions, rewards, *extras.values()):
            array[finished] = 0
        return EpisodeData(
            torch.from_numpy(observations),
            torch.from_numpy(actions),
            torch.from_numpy(rewards.astype(np.float32)),
            torch.from_numpy(lengths),
            torch.from_numpy(last_observations),
            torch.from_numpy(self.truncated.reshape(self.shape)),
            {name: torch.from_numpy(array) for name, array in extras.items()},
        )


@torch.inference_mode()
def _run(
    env: TaskVectorEnv,
    policy: Policy,
    params: Float[Tensor, "N P"],
    noise: Iterator[NDArray[np.float32]],
    seeds: Sequence[int],
) -> _Recording:
    """Return the recording of one episode of every sub-environment."""
    recording = _Recording(params.shape[0], env.episodes_per_task)
    act = policy.at(policy.unflatten(params))
    observation, _ = env.reset(seed=seeds)
    most = env.max_episode_steps or LONGEST_EPISODE
    while env.running.any():
        if len(recording) == most:
            raise UsageError(
                f"an episode has not ended in {most:,} steps: give its environment a limit, "
                "such as max_episode_steps in env-kwargs"
            )
        recording.lengths += env.running
        seen = recording.observe(observation)
        pi = act(torch.from_numpy(seen.reshape(*recording.shape, -1)))
        action = pi.sample(torch.from_numpy(next(noise))).numpy()
        if not np.isfinite(action).all():
            broken = ("actions", action) if np.isfinite(seen).all() else ("observations", seen)
            raise NotFiniteError(*broken)
        observation, reward, _, truncated, info = env.step(recording.act(action))
        recording.receive(reward, truncated, info)
    recording.observe(observation)
    return recording
