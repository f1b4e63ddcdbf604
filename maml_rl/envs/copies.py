"""The copies of an environment that a process holds."""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec

from maml_rl.envs.adapter import BorrowedCopies
from maml_rl.envs.registry import find_spec, make_env, make_task_vector_env
from maml_rl.envs.task_env import Task, TaskVectorEnv
from maml_rl.envs.task_space import EnvTaskSpace, Split
from maml_rl.errors import UsageError, check_number


class EnvCopies:
    """Makes the copies of an environment when they are needed, and keeps them for batches of any size.

    Tasks are drawn from a copy of their own, for what an environment draws may depend on the task that was
    set last, and any number of processes is to draw the same. Episodes run there only if there may be one.
    Another process gets the description alone, and makes copies of its own.

    Args:
        env: a registered id, ``package.module:EnvClass``, or the registration itself.
        env_kwargs: of the environment.
        most: copies there may be at once, 1 or more; those of a batch take turns where they are fewer than
            its sub-environments. None: as many as the largest batch has.

    Raises:
        UsageError: there is no such environment, ``most`` is below 1, or it is given where there is a batched
            version.
    """

    def __init__(self, env: str | EnvSpec, env_kwargs: Mapping[str, Any], most: int | None = None):
        self.spec = find_spec(env) if isinstance(env, str) else env
        self.env_kwargs, self.most = dict(env_kwargs), most
        if most is not None:
            check_number("env-copies", most, 1)
        self.are_native = self.spec.vector_entry_point is not None
        if self.are_native and most is not None:
            raise UsageError(
                f"env-copies: environment '{self.spec.id}' has a batched version, which runs all episodes at "
                "once and has no copies: leave the key out"
            )
        self._single: gym.Env[Any, Any] | None = None
        self._copies: list[gym.Env[Any, Any]] = []
        self._batches: dict[int, TaskVectorEnv] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.spec, self.env_kwargs, self.most)

    @property
    def single(self) -> gym.Env[Any, Any]:
        """The environment that tasks are drawn from. It is a batch's too if there may be no other."""
        if self.most == 1 or (self._single is None and len(self._copies) == self.most):
            return self._first(1)[0]
        if self._single is None:
            self._single = self.another()
        return self._single

    def sample(self, seed: int, num_tasks: int, split: Split = "train") -> list[Task]:
        """Draw tasks, as `EnvTaskSpace` does."""
        return EnvTaskSpace(self.single).sample(seed, num_tasks, split)

    def batch(self, num_envs: int) -> TaskVectorEnv:
        """Return a batch. Only one at a time can be in use, for they share the copies.

        Raises:
            UsageError: the environment cannot be made.
        """
        if num_envs not in self._batches:
            if self.are_native:
                made = make_task_vector_env(self.spec, self.env_kwargs, num_envs)
            else:
                # The one for tasks counts, too.
                room = num_envs if self.most is None else self.most - (self._single is not None)
                made = BorrowedCopies(self._first(min(num_envs, room)), num_envs)
            self._batches[num_envs] = made
        return self._batches[num_envs]

    def another(self) -> gym.Env[Any, Any]:
        """Make a copy that is the caller's.

        Raises:
            UsageError: it cannot be made; where there are others, the message says that these could.
        """
        try:
            return make_env(self.spec, self.env_kwargs)
        except UsageError as error:
            if not (there := len(self._made)):
                raise
            raise UsageError(f"{error}; {beside(there)}") from error.__cause__

    def close(self) -> None:
        """Close all that was made; what is asked for later is made anew."""
        batches = self._batches.values() if self.are_native else ()
        for env in (*batches, *self._made):
            env.close()
        self._batches.clear()
        self._copies.clear()
        self._single = None

    @property
    def _made(self) -> list[gym.Env[Any, Any]]:
        return [*self._copies, *([] if self._single is None else [self._single])]

    def _first(self, number: int) -> list[gym.Env[Any, Any]]:
        while len(self._copies) < number:
            self._copies.append(self.another())
        return self._copies[:number]


def beside(there: int) -> str:
    """Say what to do where no more copies can be made than are there."""
    copies = "one copy could" if there == 1 else f"{there} copies could"
    return f"{copies} be made: with --env-copies {there} a process holds no more, and episodes take turns"
