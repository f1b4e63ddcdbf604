"""Environments of anybody's that fail as they are made or closed, or end their process then."""

import logging
import sys
from typing import Any

import pytest

from maml_rl.envs import check_env, make_env
from maml_rl.envs.navigation import Navigation2DEnv
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
