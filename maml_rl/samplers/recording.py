"""Episodes as they are recorded, and put side by side."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from maml_rl.envs.task_env import Array, Part
from maml_rl.episode import EpisodeData


class Recording:
    """The episodes of a turn as they are recorded, one time step after another.

    Args:
        shape: N and K, of all episodes.
        turn: those that run.
    """

    def __init__(self, shape: tuple[int, int], turn: Part):
        self.shape, self.turn = shape, turn
        self.lengths = np.zeros(shape, np.int64)
        self.truncated = np.zeros(shape, bool)
        self._observations: list[Array] = []
        self._actions: list[Array] = []
        self._rewards: list[Array] = []
        self._extras: list[dict[str, Array]] = []

    def __len__(self) -> int:
        """Return the time steps so far."""
        return len(self._rewards)

    def observe(self, observation: Array) -> Array:
        """Keep what comes before the next action; return that of all episodes, ``[N, K, ...]``."""
        # Copies here, and for the environment of actions: what it is given or returns it may write to later.
        everywhere = observation.reshape(*self.shape, *observation.shape[1:])
        seen = np.array(everywhere[self.turn], np.float32)
        self._observations.append(seen)
        return seen if seen.size == everywhere.size else np.asarray(everywhere, np.float32)

    def act(self, action: Array) -> Array:
        """Keep the actions, of ``[N, K, ...]``, and return a copy as the environment takes them."""
        kept = action[self.turn]
        # A part would keep the whole alive.
        self._actions.append(kept if kept.size == action.size else kept.copy())
        return action.reshape(-1, *action.shape[2:]).copy()

    def receive(self, reward: Array, truncated: Array, info: Mapping[str, Any]) -> None:
        """Keep what follows the actions."""
        self._rewards.append(self._part(reward))
        self._extras.append({name: self._part(info[name], np.float32) for name in info})
        self.truncated |= truncated.reshape(self.shape)

    def only(self, values: Array) -> Array:
        """Return ``[N, K, ...]`` with 0 for the episodes that do not run."""
        result = np.zeros_like(values)
        result[self.turn] = values[self.turn]
        return result

    def episodes(self) -> EpisodeData:
        """Return what was kept, time second."""
        lengths = self.lengths[self.turn]
        all_observations, actions, rewards = (
            np.stack(arrays, axis=1) for arrays in (self._observations, self._actions, self._rewards)
        )
        none = np.zeros(lengths.shape, np.float32)
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
            torch.from_numpy(_as_float32(rewards)),
            torch.from_numpy(lengths),
            torch.from_numpy(last_observations),
            torch.from_numpy(self.truncated[self.turn]),
            {name: torch.from_numpy(array) for name, array in extras.items()},
        )

    def _part(self, values: Any, dtype: Any = None) -> Array:
        return np.array(np.reshape(values, self.shape)[self.turn], dtype)


def _as_float32(rewards: Array) -> Array:
    with np.errstate(over="ignore"):  # What is infinite then, ends the run with a line.
        return rewards.astype(np.float32)


def side_by_side(recordings: Sequence[Recording]) -> EpisodeData:
    """Return the episodes of all turns as if they had run at once: padded to the longest, T steps."""
    if len(recordings) == 1:
        return recordings[0].episodes()
    parts = [(recording.turn, recording.episodes()) for recording in recordings]
    shape, steps = recordings[0].shape, max(map(len, recordings))

    def together(field: Callable[[EpisodeData], Tensor]) -> Tensor:
        first = field(parts[0][1])
        result = first.new_zeros((*shape, *first.shape[2:]))
        for turn, data in parts:
            result[turn] = field(data)
        return result

    def in_time(field: Callable[[EpisodeData], Tensor]) -> Tensor:
        first = field(parts[0][1])
        result = first.new_zeros((shape[0], steps, shape[1], *first.shape[3:]))
        for (tasks, episodes), data in parts:
            values = field(data)
            result[tasks, : values.shape[1], episodes] = values
        return result

    def extra(name: str) -> Tensor:
        return in_time(lambda data: data.extras.get(name, torch.zeros_like(data.rewards)))

    return EpisodeData(
        in_time(lambda data: data.observations),
        in_time(lambda data: data.actions),
        in_time(lambda data: data.rewards),
        together(lambda data: data.lengths),
        together(lambda data: _known(data.last_observations)),
        together(lambda data: _known(data.truncated)),
        {name: extra(name) for name in sorted(set().union(*(data.extras for _, data in parts)))},
    )


def _known(tensor: Tensor | None) -> Tensor:
    assert tensor is not None
    return tensor
