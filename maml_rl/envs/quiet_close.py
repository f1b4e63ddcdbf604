"""Environments of anybody's whose ``close`` may fail, when all that they were made for is done."""

import logging
from collections.abc import Callable
from functools import cache
from typing import Any

import gymnasium as gym

from maml_rl._system.own_code import failure

logger = logging.getLogger(__name__)


def close_quietly(name: str, close: Callable[[], object]) -> None:
    """Call ``close``; where it fails, say so, and go on.

    Args:
        name: of the environment.
    """
    try:
        close()
    except (Exception, SystemExit) as error:
        _tell(name, failure(error))


@cache
def _tell(name: str, said: str) -> None:
    """Say it once in a process."""
    logger.warning("environment '%s': its close() fails, which changes no result: %s", name, said)


class QuietClose(gym.Wrapper[Any, Any, Any, Any]):
    """Has no environment's ``close`` end what its episodes were for.

    Args:
        name: of the environment.
    """

    def __init__(self, env: gym.Env[Any, Any], name: str):
        super().__init__(env)
        self._name = name

    def close(self) -> None:
        """Close the environment."""
        close_quietly(self._name, self.env.close)
