"""Physics that blow up: in the middle of an episode MuJoCo begins anew from its model's own state."""

import logging
from collections.abc import Iterator, Sequence
from functools import cache
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


def blew_up(data: mujoco.MjData) -> bool:
    """Return whether the physics have blown up since the last reset."""
    return any(data.warning[kind].number for kind in BLOW_UPS)


def physics_of(env: gym.Env[Any, Any]) -> Iterator[mujoco.MjData]:
    """Yield MuJoCo's data that an environment holds, or something that it holds: a simulator, say."""
    for value in getattr(env.unwrapped, "__dict__", {}).values():
        within = () if isinstance(value, type) else getattr(value, "__dict__", {}).values()
        yield from (found for found in (value, *within) if isinstance(found, mujoco.MjData))


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
        return answer

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step the environment."""
        answer = self.env.step(action)
        if not any(map(blew_up, self._physics)):
            self._before = answer
            return answer
        _tell(str(self.env.unwrapped))
        return self._before[0], 0.0, True, False, answer[4]
