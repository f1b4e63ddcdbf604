"""Environments of MuJoCo's that are somebody else's, whose physics may blow up."""

import logging
from functools import cache
from typing import Any

import gymnasium as gym

logger = logging.getLogger(__name__)
BLOW_UPS = ("mjWARN_BADQPOS", "mjWARN_BADQVEL", "mjWARN_BADQACC")
"""Numbers that are NaN or above 1e10, at which MuJoCo resets its data; the counters go to 0 at a reset."""


@cache
def _tell(env: str) -> None:
    """Say it once in a process."""
    logger.warning("the physics of '%s' blew up: such episodes end there", env)


def has_physics(env: gym.Env[Any, Any]) -> bool:
    """Return whether an environment has MuJoCo's data, as those of Gymnasium have."""
    return hasattr(getattr(env.unwrapped, "data", None), "warning")


class EndWhereItBlowsUp(gym.Wrapper[Any, Any, Any, Any]):
    """Ends episodes where the physics blow up, with the observation before it and a reward of 0.

    MuJoCo begins anew from its model's own state there, in the middle of an episode, and what the environment
    makes of such a jump means nothing.
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
        if not self._blew_up():
            self._observation = answer[0]
            return answer
        _tell(str(self.env.unwrapped))
        return self._observation, 0.0, True, False, answer[4]

    def _blew_up(self) -> bool:
        import mujoco  # It is imported already, by the environment.

        counters: Any = self.env.unwrapped
        return any(counters.data.warning[getattr(mujoco.mjtWarning, kind)].number for kind in BLOW_UPS)
