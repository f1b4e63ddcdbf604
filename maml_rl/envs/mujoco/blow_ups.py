"""Physics that blow up: in the middle of an episode MuJoCo begins anew from its model's own state."""

import logging
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from types import ModuleType
from typing import Any

import gymnasium as gym
import mujoco

logger = logging.getLogger(__name__)
BLOW_UPS = (
    mujoco.mjtWarning.mjWARN_BADQPOS,
    mujoco.mjtWarning.mjWARN_BADQVEL,
    mujoco.mjtWarning.mjWARN_BADQACC,
)
"""Numbers that are NaN or above 1e10, at which MuJoCo resets its data; the counters go to 0 at a reset."""
DEEPEST, MOST = 8, 1000
"""Objects one within another, and side by side, among which an environment's physics are sought."""
LONGEST = 100
"""Entries of a list or a dict that is looked into."""


def blew_up(data: mujoco.MjData) -> bool:
    """Return whether the physics have blown up since the last reset."""
    return any(data.warning[kind].number for kind in BLOW_UPS)


def physics_of(env: gym.Env[Any, Any]) -> Iterator[mujoco.MjData]:
    """Yield MuJoCo's data that an environment holds, or something that it holds: a simulator, another one."""
    seen: set[int] = set()
    objects: list[Any] = [env.unwrapped]
    for _ in range(DEEPEST):
        objects = [part for held in objects for part in _parts(held) if id(part) not in seen][:MOST]
        objects = [*{id(part): part for part in objects}.values()]
        seen |= {id(part) for part in objects}
        yield from (part for part in objects if isinstance(part, mujoco.MjData))


def _parts(value: Any) -> Iterable[Any]:
    """Return what an object holds in attributes, or a list or a dict in entries."""
    if isinstance(value, type | ModuleType):
        return ()
    if isinstance(value, list | tuple | dict):
        entries = value.values() if isinstance(value, dict) else value
        return entries if len(value) <= LONGEST else ()
    attributes = getattr(value, "__dict__", None)
    return attributes.values() if isinstance(attributes, dict) else ()


@cache
def _tell(env: str) -> None:
    """Say it once in a process."""
    logger.warning("the physics of '%s' blew up: such episodes end there", env)


class EndWhereItBlowsUp(gym.Wrapper[Any, Any, Any, Any]):
    """Ends episodes of somebody's environment where the physics blow up: what it makes of that means nothing.

    The last observation is the one before it, the last reward 0.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        super().__init__(env)
        self._before: Any = None
        self._physics: Sequence[mujoco.MjData] = ()

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment."""
        answer = self.env.reset(seed=seed, options=options)
        self._before = answer
        self._physics = [*physics_of(self.env)]  # Some environments make theirs anew.
        for data in self._physics:  # And some set states without a reset of MuJoCo's.
            for kind in BLOW_UPS:
                data.warning[kind].number = 0
        return answer

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step the environment."""
        try:
            answer = self.env.step(action)
        except Exception:
            if not self._blew_up:
                raise
            info: dict[str, Any] = {}  # dm_control's raise an error of their own.
        else:
            if not self._blew_up:
                self._before = answer
                return answer
            info = answer[4]
        _tell(str(self.env.unwrapped))
        return self._before[0], 0.0, True, False, info

    @property
    def _blew_up(self) -> bool:
        return any(map(blew_up, self._physics))
