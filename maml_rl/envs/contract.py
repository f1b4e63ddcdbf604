"""What is asked of an environment: tasks, and Gymnasium's interface, or a line that says what is amiss."""

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from maml_rl._system.own_code import exit_code
from maml_rl.envs.task_env import Array
from maml_rl.errors import UsageError, shown

GYMNASIUM = str(Path(gym.__file__).parent)
LARGEST = float(np.finfo(np.float32).max)
"""The largest number that float32 holds, as which observations and rewards are kept."""
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
    except gym.error.DependencyNotInstalled:
        raise  # It names the package.
    except SystemExit as error:
        raise UsageError(f"the environment has ended its process, {exit_code(error)}") from None
    except (AssertionError, TypeError, ValueError, IndexError, gym.error.Error) as error:
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


def array_of(value: Any) -> Array:
    """Return numbers as an array, those of a tensor too, whatever device, graph and type it is of."""
    if not hasattr(value, "detach"):
        return np.asarray(value)
    tensor = value.detach().cpu()
    try:
        return np.asarray(tensor)
    except TypeError:  # Of a type that NumPy lacks: bfloat16.
        return np.asarray(tensor.float())


def number_of(name: str, value: Any, finite: bool = False) -> float:
    """Return a number that `step` tells, which may be one of NumPy's or torch's, or in an array of its own.

    Args:
        name: of what it tells.
        finite: whether NaN and infinity are refused.

    Raises:
        UsageError: it is none.
    """
    array = array_of(value)
    if array.size != 1 or array.dtype.kind not in "biuf":
        raise UsageError(f"step() returned as {name} {shown(value)}: expected a number")
    number = float(array.reshape(()))
    if finite and not abs(number) <= LARGEST:
        raise UsageError(
            f"step() returned as {name} {shown(value)}: expected a finite number, as float32 holds it"
        )
    return number


def method_of(env: gym.Env[Any, Any], name: str) -> Callable[..., Any] | None:
    """Return a method of the environment or of its outermost wrapper that has it; None if there is none."""
    found = env.get_wrapper_attr(name) if env.has_wrapper_attr(name) else None
    return found if callable(found) else None


def draw_tasks(env: gym.Env[Any, Any], num_tasks: int, split: str = "train") -> Any:
    """Return what the ``sample_tasks`` of the environment, or of a wrapper, draws.

    For tests it is ``sample_test_tasks``, where an environment has tasks that are never trained on.
    """
    of_tests = method_of(env, "sample_test_tasks") if split == "test" else None
    return _called(of_tests or env.get_wrapper_attr("sample_tasks"), num_tasks, "sample_tasks(num_tasks)")


def set_task(env: gym.Env[Any, Any], task: Any) -> None:
    """Call the ``reset_task`` of the environment, or of a wrapper."""
    _called(env.get_wrapper_attr("reset_task"), task, "reset_task(task)")


def _called(method: Callable[..., Any], argument: Any, signature: str) -> Any:
    """Call a method of the environment.

    Raises:
        UsageError: it does not take the argument; errors of its own go on as they are.
    """
    try:
        return method(argument)
    except TypeError as error:
        if len([*traceback.walk_tb(error.__traceback__)]) > 1:  # It had begun.
            raise
        raise UsageError(f"the environment's {signature} cannot be called so: {error}") from None
