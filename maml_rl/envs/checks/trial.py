"""What checks try out, and what they find."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec

from maml_rl._system.kept import noticing, process_settings_kept
from maml_rl.envs.copies import EnvCopies
from maml_rl.envs.playback import SEED, Step, actions_of, difference, episode
from maml_rl.envs.task_env import Task
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.errors import in_a_line

TASKS, MORE_TASKS = 4, 64
"""Tasks that are tried out, and those that are drawn to find different ones."""


class Finding(NamedTuple):
    """Something that a check has found.

    Args:
        breaks: whether a promise of maml_rl does not hold in this environment; otherwise it is advice.
    """

    breaks: bool
    message: str


class Trial:
    """An environment that is tried out, with tasks and actions.

    There is one copy at a time, since a process may be able to hold one alone; but `shares` needs two.

    Args:
        steps: at most, of the episodes that are compared.
        most: copies that a process may hold.

    Raises:
        UsageError: it cannot be made, is no task distribution, or has spaces that no policy fits.
    """

    def __init__(
        self, env: str | EnvSpec, env_kwargs: Mapping[str, Any], steps: int, most: int | None = None
    ):
        self.copies = EnvCopies(env, env_kwargs, most)
        task_space = EnvTaskSpace(self.copies.single)
        with noticing(), process_settings_kept():  # What drawing changes, an episode will change, too.
            self.drawn = task_space.sample(SEED, TASKS)
        self.tasks = self.drawn if self.differ(self.drawn) else self._varied()
        self.actions = actions_of(self.env.action_space, steps)

    @property
    def env(self) -> gym.Env[Any, Any]:
        """The environment."""
        return self.copies.single

    @staticmethod
    def differ(tasks: Sequence[Task]) -> bool:
        """Return whether not all tasks are the same."""
        return len({text_of([task]) for task in tasks}) > 1

    def _varied(self) -> Sequence[Task]:
        """Return tasks that differ as far as there are such: of two choices, four draws may be one."""
        many = self.copies.sample(SEED, MORE_TASKS)
        first = {text_of([task]): task for task in reversed(many)}
        return [*reversed(first.values()), *many][:TASKS]

    def renew(self) -> None:
        """Close the environment; the next use finds another copy."""
        self.copies.close()

    def close(self) -> None:
        """Close the environment."""
        self.copies.close()

    def episode(self, task: Task, actions: Sequence[Any] | None = None) -> list[Step]:
        """Run an episode."""
        return episode(self.env, task, self.actions if actions is None else actions)


def parted(episodes: tuple[Sequence[Step], Sequence[Step]], said: str, advice: str) -> list[Finding]:
    """Return a broken promise if two episodes part, with where they do."""
    where = difference(*episodes)
    return [Finding(True, f"{said}: {where}: {advice}")] if where else []


def text_of(tasks: Sequence[Task]) -> str:
    """Return tasks as a text that tells different ones apart, and is the same of equal ones."""
    with np.printoptions(threshold=sys.maxsize, floatmode="unique"):
        return repr([_whole(task) for task in tasks])


def _whole(value: Any) -> Any:
    """Return a value with sets and mappings sorted, and the fields of dataclasses that are compared."""
    name = type(value).__name__
    if is_dataclass(value) and not isinstance(value, type):
        return name, {f.name: _whole(getattr(value, f.name)) for f in fields(value) if f.compare}
    if isinstance(value, set | frozenset):
        return name, sorted(repr(_whole(entry)) for entry in value)
    if isinstance(value, Mapping):
        # Of 1 and "1" the first one says its type.
        told = {k if isinstance(k, str) else f"{type(k).__name__} {_whole(k)!r}": k for k in value}
        return {text: _whole(value[told[text]]) for text in sorted(told)}
    if type(value) is tuple:
        return tuple(_whole(entry) for entry in value)
    if isinstance(value, tuple):
        return name, [_whole(entry) for entry in value]
    if isinstance(value, list):
        return [_whole(entry) for entry in value]
    if isinstance(value, torch.Tensor):
        return name, value.tolist()
    return value


def excerpt(text: str) -> str:
    """Return the beginning of a text in a line."""
    return in_a_line(text, 100)
