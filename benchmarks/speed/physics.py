"""The open-loop rate of the physics: no policy, no rewards, no Python between the steps."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any, NamedTuple

import mujoco
import numpy as np
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from maml_rl.config import Config
from maml_rl.envs import make_task_vector_env
from maml_rl.episode import BatchEpisodes

MOST_EPISODES = 200
"""Enough for a steady rate; more take as long as the sampling."""


class Episode(NamedTuple):
    model: mujoco.MjModel
    state: NDArray[np.float64]
    """At its start."""
    controls: NDArray[np.float64]
    """Held for the physics steps of each step, ``[steps * frame_skip, nu]``."""
    steps: int


Group = tuple[list[mujoco.MjModel], NDArray[np.float64], NDArray[np.float64]]
"""Models, states and controls of episodes of one length."""


class OpenLoop:
    """Steps episodes that were sampled once more, by a call of `mujoco.rollout` for those of a length.

    Tasks, lengths and actions are those of the episodes, so that the robots do what they did: falling and
    lying take longer than standing. The noise of their resets alone is drawn anew.

    Args:
        tasks: of the episodes.
        rounds: ``[round][task]``.
        threads: that step side by side.
    """

    def __init__(self, config: Config, tasks: list[Any], rounds: list[list[BatchEpisodes]], threads: int):
        episodes = [episode for batches in rounds for episode in _episodes(config, tasks, batches)]
        episodes = episodes[:: -(-len(episodes) // MOST_EPISODES)]
        episodes.sort(key=_steps)
        self.env_steps = sum(map(_steps, episodes))
        self._shares = [_groups(episodes[i::threads]) for i in range(threads)]
        self._executor = ThreadPoolExecutor(threads)

    def __call__(self) -> None:
        list(self._executor.map(_step, self._shares))


def _steps(episode: Episode) -> int:
    return episode.steps


def _episodes(config: Config, tasks: list[Any], batches: Sequence[BatchEpisodes]) -> Iterator[Episode]:
    """Yield each task's first episode, each one's second, and so on."""
    number = batches[0].batch_size
    env: Any = make_task_vector_env(config.env_name, config.env_kwargs, len(tasks) * number)
    env.reset_task(tasks)
    env.reset(seed=0)
    for k in range(number):
        for n, batch in enumerate(batches):
            steps, row = int(batch.data.lengths[k]), n * number + k
            controls = env._actuation.control(env._actuation.effort(batch.actions[:steps, k].numpy()))
            held = np.repeat(controls, env.family.frame_skip, axis=0)
            yield Episode(env._models[row], env._states[row], held, steps)


def _groups(episodes: list[Episode]) -> list[Group]:
    """Return the episodes, which are in the order of their lengths, by length."""
    alike = (zip(*group, strict=True) for _, group in groupby(episodes, key=_steps))
    return [([*models], np.stack(states), np.stack(controls)) for models, states, controls, _ in alike]


def _step(groups: list[Group]) -> None:
    with Rollout(nthread=0) as rollout:
        data = mujoco.MjData(groups[0][0][0])
        for models, states, controls in groups:
            rollout.rollout(models, [data], states, controls)
