"""Environments of anybody's that fail as they are made or closed, or end their process then."""

import logging
import sys
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from maml_rl._system.own_code import exit_code
from maml_rl.envs import check_env, make_env
from maml_rl.envs.contract import set_task
from maml_rl.envs.navigation import Navigation2DEnv, Navigation2DVectorEnv
from maml_rl.envs.quiet_close import _tell
from maml_rl.errors import UsageError
from tests.cli.helpers import Command, read_metrics
from tests.envs.test_check import of_the_environment


class LeavesAtOnce(Navigation2DEnv):
    """It ends its process as it is made."""

    def __init__(self, **kwargs: Any):
        sys.exit(0)


class LeavesAtTheEnd(Navigation2DEnv):
    """It ends its process as it is closed."""

    def close(self) -> None:
        sys.exit(0)


class NeedsAReset(Navigation2DEnv):
    """It closes what its reset opens."""

    def reset(self, **kwargs: Any) -> Any:
        self.window = "open"
        return super().reset(**kwargs)

    def close(self) -> None:
        assert self.window


class FailsToClose(Navigation2DEnv):
    """It cannot be closed."""

    def close(self) -> None:
        raise RuntimeError("no window")


class BatchEnv(Navigation2DEnv):
    """It has a batched version."""


class BatchVectorEnv(Navigation2DVectorEnv):
    """It cannot be closed."""

    def close_extras(self, **kwargs: Any) -> None:
        raise RuntimeError("batched close")


class Square(gym.Env[Any, Any]):
    """It has a side and an area, and ends its process as it is closed."""

    observation_space = action_space = gym.spaces.Box(-1.0, 1.0, (1,))

    def __init__(self, length: float = 1.0):
        self.length = length
        self.area = length**2

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def close(self) -> None:
        sys.exit(0)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (None, "exit code 0"),
        (0, "exit code 0"),
        (4, "exit code 4"),
        ("no\nlicence", "exit code 1: no licence"),
    ],
)
def test_how_a_process_would_end(code: Any, said: str):
    assert exit_code(SystemExit(code)) == f"with {said}"


def test_a_batch_that_fails_to_close(command: Command, tmp_path: Any):
    kwargs = ("--env-kwargs", "{max_episode_steps: 5}", "--num-workers", 0, "--output-folder", tmp_path)
    sizes = ("--num-batches", 1, "--meta-batch-size", 2, "--fast-batch-size", 2)
    command.succeeds("train", "--env-name", f"{__name__}:BatchEnv", *kwargs, *sizes)
    assert len(read_metrics(tmp_path)) == 1


def test_what_follows_from_a_task_where_a_copy_ends_its_process():
    """Its constructor is called a second time to see what follows, and that copy is closed."""
    env: Any = make_env(f"{__name__}:Square", {"task_space": {"length": [2.0, 3.0]}, "max_episode_steps": 5})
    set_task(env, {"length": 2.5})
    env.reset(seed=0)
    assert env.unwrapped.area == 6.25


CLOSING = {
    "LeavesAtTheEnd": "it ends the process, with exit code 0 (SystemExit at ",
    "NeedsAReset": "'NeedsAReset' object has no attribute 'window' (AttributeError at ",
    "FailsToClose": "no window (RuntimeError at ",
}


def test_an_environment_that_ends_its_process_as_it_is_made(command: Command):
    name = f"{__name__}:LeavesAtOnce"
    said = "environment 'LeavesAtOnce' cannot be made: it ends the process, with exit code 0 (SystemExit at "
    with pytest.raises(UsageError) as told:
        make_env(name)
    assert str(told.value).startswith(said)
    for words in (("check-env", name), ("train", "--env-name", name, "--num-workers", 0)):
        assert command.fails(*words).startswith(f"maml-rl: {said}")


@pytest.mark.parametrize("kind", CLOSING)
def test_a_close_that_fails_is_said_and_changes_nothing(
    kind: str, command: Command, caplog: pytest.LogCaptureFixture, tmp_path: Any
):
    name = f"{__name__}:{kind}"
    _tell.cache_clear()
    with caplog.at_level(logging.WARNING):
        make_env(name).close()
        make_env(name).close()
    (message,) = caplog.messages
    assert message.startswith(
        f"environment '{kind}': its close() fails, which changes no result: {CLOSING[kind]}"
    )
    assert not of_the_environment(check_env(name, {"max_episode_steps": 5}))
    sizes = ("--num-batches", 1, "--meta-batch-size", 2, "--fast-batch-size", 2, "--num-workers", 0)
    command.succeeds(
        *("train", "--env-name", name, "--env-kwargs", "{max_episode_steps: 5}", "--output-folder", tmp_path),
        *sizes,
    )
    assert len(read_metrics(tmp_path)) == 1
