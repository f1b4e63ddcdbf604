"""Environments that do not keep to Gymnasium's interface: one line each."""

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym

from maml_rl.errors import UsageError, shown

GYMNASIUM = str(Path(gym.__file__).parent)
EXPECTED = (
    "expected, as Gymnasium has it: reset(*, seed=None, options=None) returns (observation, info), and "
    "step(action) returns (observation, reward, terminated, truncated, info)"
)


@contextmanager
def in_terms_of_gymnasium() -> Iterator[None]:
    """Say in a line what Gymnasium's wrappers cannot make of an environment's answers.

    Raises:
        UsageError: they failed; errors of the environment itself go on as they are.
    """
    try:
        yield
    except (AssertionError, TypeError, ValueError) as error:
        *_, last = traceback.extract_tb(error.__traceback__)
        if not last.filename.startswith(GYMNASIUM):
            raise
        said = " ".join(str(error).split())
        raise UsageError(f"the environment fails in Gymnasium's hands: {said}; {EXPECTED}") from None


def reset(env: gym.Env[Any, Any], seed: int) -> Any:
    """Reset an environment and return its observation.

    Raises:
        UsageError: it does not return an observation and a dict.
    """
    answer = env.reset(seed=seed)
    if not (isinstance(answer, tuple) and len(answer) == 2 and isinstance(answer[1], dict)):
        raise UsageError(f"the environment's reset() returned {shown(answer)}; {EXPECTED}")
    return answer[0]
