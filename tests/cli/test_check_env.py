"""``maml-rl check-env``, and what ``train`` says at its start."""

from pathlib import Path

import pytest

from tests.cli.helpers import ROOT, TINY, Command

CARTPOLE = ROOT / "configs" / "task-space" / "cartpole.yaml"

BEARTYPE = "generator of Python"
"""Used by the checks of types, where the tests have those."""


def name_of(kind: str) -> str:
    return f"tests.envs.peculiar:{kind}"


def test_an_environment_that_keeps_its_promises(command: Command, tmp_path: Path):
    config = tmp_path / "mine.yaml"
    config.write_text(f"env-name: {name_of('Line')}\nmeta-batch-size: 20\nfast-batch-size: 20\n")
    lines = command.succeeds("check-env", name_of("Line"), "--config", config).splitlines()
    assert command.succeeds("check-env", "--config", config).splitlines()[-1] == lines[-1]
    said = [line for line in lines if BEARTYPE not in line]
    assert said[-1] == "all that samplers rely on holds"
    assert said[0].startswith("a copy takes ")
    assert said[0].endswith("µs a reset; episodes of 8 steps")
    assert said[1].startswith("an iteration: 6,400 steps, ")  # 20 tasks, 20 episodes, two rounds.


def test_a_config_says_how_the_environment_is_made(command: Command):
    config = ("--config", CARTPOLE)
    assert "an iteration: " in command.succeeds("check-env", "CartPole-v1", *config)
    assert "'gg'; its numbers: " in command.fails("check-env", *config, "--task-space", "{gg: [5, 15]}")
    assert "is of 'CartPole-v1', not of 'Pendulum-v1'" in command.fails("check-env", "Pendulum-v1", *config)
    assert "expected an environment, or a --config that names one" in command.fails("check-env")


def test_names_with_brackets_need_quotes(command: Command):
    mapping = "{AVAIL_TORQUE[0]: [-2.0, -1.0]}"
    assert "a name with brackets needs quotes" in command.fails(
        "check-env", "Acrobot-v1", "--task-space", mapping
    )


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


def test_results_are_where_they_were_to_be(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    env = ("--env-name", "tests.envs.meddling:Meddles", "--env-kwargs", "{what: folder}")
    command.succeeds("train", *env, *TINY, "--output-folder", "run")
    assert (tmp_path / "run" / "policy.th").exists()
