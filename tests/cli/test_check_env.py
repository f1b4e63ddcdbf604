"""``maml-rl check-env``, and what ``train`` says at its start."""

from pathlib import Path

import pytest

from tests.cli.helpers import NAVIGATION, TINY, Command

BEARTYPE = "generator of Python"
"""Used by the checks of types, where the tests have those."""


def name_of(kind: str) -> str:
    return f"tests.envs.peculiar:{kind}"


def test_an_environment_that_keeps_its_promises(command: Command):
    lines = command.succeeds("check-env", name_of("Line"), "--config", NAVIGATION).splitlines()
    said = [line for line in lines if BEARTYPE not in line]
    assert said[-1] == "all that samplers rely on holds"
    assert said[0].startswith("a copy takes ")
    assert "µs a step; episodes of 8 steps" in said[0]
    assert said[1].startswith("an iteration: 6,400 steps, ")  # 20 tasks, 20 episodes, two rounds.


def test_one_that_does_not(command: Command):
    outcome = command("check-env", name_of("CountsResets"))
    assert outcome.status == 1
    assert outcome.out.splitlines()[0].startswith("broken: the same task, seed and actions gave two episodes")
    assert "all that samplers rely on holds" not in outcome.out
    assert command("check-env", name_of("FailsAtStep")).out.startswith(
        "broken: it fails: too far (Arithmetic"
    )


@pytest.mark.slow
def test_arguments_of_the_environment(command: Command):
    assert "broken" not in command.succeeds("check-env", name_of("Scaled"), "--env-kwargs", "{scale: 1e-3}")
    assert "takes no argument 'size'" in command.fails(
        "check-env", name_of("Scaled"), "--env-kwargs", "{size: 2}"
    )


@pytest.mark.parametrize(("kind", "said"), [("SharedPlace", "copies share something"), ("Line", "")])
def test_training_says_it_once(
    command: Command, kind: str, said: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = tmp_path / "run"
    command("train", "--env-name", name_of(kind), *TINY, "--seed", 1, "--output-folder", folder)
    assert (folder / "policy.th").exists()
    messages = [record.message for record in caplog.records if "environment '" in record.message]
    found = [message for message in messages if BEARTYPE not in message]
    assert len(found) == bool(said)
    assert all(said in message for message in found)
