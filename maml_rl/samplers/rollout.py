"""Rolling out policies: a pure function of environments, actors, noise and seeds."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from maml_rl.envs.task_env import LONGEST_EPISODE, Array, TaskVectorEnv
from maml_rl.episode import EpisodeData
from maml_rl.errors import UsageError
from maml_rl.policies.actor import Actor
from maml_rl.policies.base import Policy
from maml_rl.samplers.recording import Recording, side_by_side

LARGEST_BLOCK = 64
"""Time steps of noise drawn at once, at most. It changes the speed alone: a stream's draws follow in time."""


class NotFiniteError(FloatingPointError):
    """Observations or actions, ``[N, K, ...]``, of which some are NaN or infinite.

    Args:
        name: of the quantity, in the plural.
    """

    def __init__(self, name: str, values: Array):
        super().__init__(f"{name} are NaN or infinite")
        self.name, self.values = name, values


class ActionNoise:
    """Noise of ``[N, K, ...]`` per time step, each task's from its own stream, without end.

    Every iteration yields the same.

    Args:
        streams: one per task.
        episodes: per task, K.
    """

    def __init__(self, policy: Policy, streams: Sequence[np.random.SeedSequence], episodes: int):
        self._policy, self._streams, self._episodes = policy, streams, episodes

    def __iter__(self) -> Iterator[NDArray[np.float32]]:
        rngs = [np.random.default_rng(stream) for stream in self._streams]
        block = 1  # An episode may be one step long.
        while True:
            yield from np.stack([self._policy.noise(rng, (block, self._episodes)) for rng in rngs], axis=1)
            block = min(2 * block, LARGEST_BLOCK)


def rollout(env: TaskVectorEnv, actor: Actor, noise: ActionNoise, seeds: Sequence[int]) -> EpisodeData:
    """Run every sub-environment of ``env`` for one episode.

    Where they take turns, the actor acts for all of them at each step all the same, on observations of 0
    where it is not their turn: how a row of a product is rounded depends on how many rows there are.

    Args:
        env: with N tasks set, of K episodes each.
        actor: of N K episodes.
        noise: per time step, what the policy turns into N K actions.
        seeds: of the environments, one per task, N.

    Raises:
        NotFiniteError: actions are NaN or infinite; no environment has seen them.
        UsageError: an episode goes on and on.
    """
    recordings = []
    turns = env.turns
    for turn in turns:
        # Where all run at once, a reset need not know of options.
        options = {"options": {"turn": turn}} if len(turns) > 1 else {}
        observation, _ = env.reset(seed=seeds, **options)
        recording = Recording((len(seeds), env.episodes_per_task), turn)
        _run(env, observation, actor, noise, recording)
        recordings.append(recording)
    return side_by_side(recordings)


def _run(
    env: TaskVectorEnv,
    observation: Array,
    actor: Actor,
    noise: ActionNoise,
    recording: Recording,
) -> None:
    """Run the episodes that have begun with ``observation`` to their ends."""
    draws = iter(noise)
    most = env.max_episode_steps or LONGEST_EPISODE
    while env.running.any():
        if len(recording) == most:
            raise UsageError(
                f"an episode has not ended in {most:,} steps: give its environment a limit, "
                "such as max_episode_steps in env-kwargs"
            )
        ran = env.running.reshape(recording.shape).copy()
        recording.lengths += ran
        seen = recording.observe(observation)
        with torch.inference_mode():  # Of the actor alone: environments may compute with autograd.
            pi = actor.act(torch.from_numpy(seen.reshape(*recording.shape, -1)))
            action = pi.sample(torch.from_numpy(next(draws))).numpy()
        if not np.isfinite(action[recording.turn]).all():
            broken = ("actions", action) if np.isfinite(seen).all() else ("observations", seen)
            raise NotFiniteError(broken[0], recording.only(broken[1]))
        observation, reward, _, truncated, info = env.step(recording.act(action))
        recording.receive(reward, truncated, info)
        ended = ran & ~env.running.reshape(recording.shape)
        actor.receive(action, np.reshape(reward, recording.shape), ran, ended)
    recording.observe(observation)
