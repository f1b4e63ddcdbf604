"""Physics that blow up: in the middle of an episode MuJoCo begins anew from its model's own state."""

import logging
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
        self._observation: Any = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment."""
        self._observation, info = self.env.reset(seed=seed, options=options)
        return self._observation, info

    def step(self, action: Any) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Step the environment."""
        answer = self.env.step(action)
        itself: Any = self.env.unwrapped
        if not blew_up(itself.data):
            self._observation = answer[0]
            return answer
        _tell(str(itself))
        return self._observation, 0.0, True, False, answer[4]
