"""Environments for gym, as it was before Gymnasium, and for garage: they are no `gymnasium.Env`."""

import inspect
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from maml_rl.errors import UsageError

TASK_METHODS = ("sample_tasks", "reset_task", "set_task", "get_task")


@dataclass(frozen=True)
class OldGym:
    """Makes environments of a class that is no `gymnasium.Env`, for Gymnasium to call.

    Args:
        kind: the class.
    """

    kind: type

    def __call__(self, **kwargs: Any) -> "OldGymEnv":
        """Make one."""
        return OldGymEnv(self.kind(**kwargs))

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(self.kind)


def is_old_gym(kind: type) -> bool:
    """Return whether a class is an environment, though not Gymnasium's."""
    return not issubclass(kind, gym.Env) and all(
        callable(getattr(kind, name, None)) for name in ("reset", "step")
    )


class OldGymEnv(gym.Env[Any, Any]):
    """An environment of old gym's or of garage's, as Gymnasium has them.

    ``reset`` may return the observation alone; ``step`` may return four values, of which the third says that
    the episode ended, or garage's ``EnvStep``. The seed goes to ``reset(seed=…)`` or to ``seed(…)``.

    Args:
        inner: the environment.

    Raises:
        UsageError: it has a space of another kind than Gymnasium's.
    """

    def __init__(self, inner: Any):
        self.inner = inner
        self.observation_space = as_gymnasium(inner.observation_space)
        self.action_space = as_gymnasium(inner.action_space)
        told = getattr(inner, "metadata", None) or {}
        self.metadata = {"render_modes": [], "extras": told.get("extras", ())}
        for name in TASK_METHODS:
            if callable(method := getattr(inner, name, None)):
                setattr(self, name, method)
        self._takes_seed = "seed" in inspect.signature(inner.reset).parameters

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment, with the seed."""
        super().reset(seed=seed)
        if self._takes_seed:
            answer = self.inner.reset(seed=seed)
        else:
            if seed is not None and callable(getattr(self.inner, "seed", None)):
                self.inner.seed(seed)
            answer = self.inner.reset()
        if isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict):
            return self._typed(answer[0]), answer[1]
        return self._typed(answer), {}

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step the environment."""
        answer = self.inner.step(action)
        if hasattr(answer, "step_type"):
            seen = self._typed(answer.observation)
            return seen, answer.reward, bool(answer.terminal), bool(answer.timeout), answer.env_info
        if len(answer) != 4:
            return self._typed(answer[0]), *answer[1:]
        observation, reward, done, info = answer
        out_of_time = bool(info.get("TimeLimit.truncated", False))
        return self._typed(observation), reward, bool(done) and not out_of_time, out_of_time, info

    def close(self) -> None:
        """Close the environment, if it can be."""
        if callable(getattr(self.inner, "close", None)):
            self.inner.close()

    def _typed(self, observation: Any) -> Any:
        """Return an observation in its space's type, which old environments often miss."""
        space = self.observation_space
        return np.asarray(observation, space.dtype) if isinstance(space, spaces.Box) else observation


def as_gymnasium(space: Any) -> gym.Space[Any]:
    """Return a space of old gym's or akro's as Gymnasium's.

    Raises:
        UsageError: it is of another kind.
    """
    if isinstance(space, gym.Space):
        return space
    kinds = {base.__name__ for base in type(space).__mro__}
    if "Box" in kinds:
        return spaces.Box(np.asarray(space.low), np.asarray(space.high), dtype=np.dtype(space.dtype).type)
    if "Discrete" in kinds:
        return spaces.Discrete(int(space.n), start=int(getattr(space, "start", 0)))
    if "MultiDiscrete" in kinds:
        return spaces.MultiDiscrete(np.asarray(space.nvec))
    if "MultiBinary" in kinds:
        return spaces.MultiBinary(space.n)
    if "Dict" in kinds:
        return spaces.Dict({name: as_gymnasium(part) for name, part in space.spaces.items()})
    if "Tuple" in kinds:
        return spaces.Tuple([as_gymnasium(part) for part in space.spaces])
    raise UsageError(
        f"a space of kind {type(space).__name__}: expected a Box, Discrete or another of Gymnasium's"
    )
