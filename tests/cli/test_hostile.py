"""Odd values, paths, names and modules: one line each, and exit code 2."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.helpers import NAVIGATION, TABULAR, TINY, Command

LONG = "n" * 300


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder that commands run in, and must leave empty."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield folder
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--seed", "1e3"], "--seed: expected a whole number, got '1e3'"),
        (["--num-workers", 10**30], "num-workers: expected 0 to 1024, got 1000"),
        (["--num-workers", "x y"], "--num-workers: expected a whole number, got 'x y'"),
        (["--num-batches", "1.5"], "--num-batches: expected a whole number, got '1.5'"),
        (["--fast-lr", "fast"], "--fast-lr: expected a number, got 'fast'"),
        (["--fast-batch-size", 10**30], "'fast-batch-size': input should be less than or equal to"),
        (["--meta-batch-size", 10**30], "'meta-batch-size': input should be less than or equal to"),
        (["--num-steps", 10**30], "'num-steps': input should be less than or equal to 10000"),
        (["--hidden-sizes", 10**30], "'hidden-sizes.0': input should be less than or equal to"),
        (
            ["--env-name", "Bandit-K5-v0", "--env-kwargs", f"{{k: {10**30}}}"],
            "cannot be made with {'k': 1000",
        ),
        (["--env-kwargs", f"{{num_states: {10**30}}}"], "cannot be made with {'num_states': 1000"),
        (
            ["--env-kwargs", "{max_episode_steps: 1e3}"],
            "max_episode_steps: expected a whole number, 1 or more, got 1000.0",
        ),
        (["--env-kwargs", "{num_states: yes}"], "'yes' may be read in two ways: write true or false"),
        (["--env-kwargs", "{a: &a [*a]}"], "or an alias contains itself"),
        (["--env-kwargs", "{a: !!bool x}"], "expected what '!!bool' stands for"),
        (["--env-kwargs", "{}", "--env-name", "gymnasium:Env"], "environment 'Env' cannot be made: "),
        (
            ["--env-kwargs", "{}", "--env-name", "maml_rl.envs:TaskEnv"],
            "environment 'TaskEnv' cannot be made: ",
        ),
        (["--env-name", "maml_rl.envs:make_env"], "has no class 'make_env', and registers no such id"),
        (["--env-name", "pathlib:Path"], "expected a gymnasium.Env; the class derives from pathlib.PurePath"),
        (["--env-name", "json:Line"], "json/__init__.py) has no class 'Line', and registers no such id"),
        (
            ["--env-kwargs", "{}", "--env-name", "Hopper-v4"],
            "; of Hopper there are HopperRandParams-v0",
        ),
        (["--env-name", LONG], "doesn't exist"),
        (["--env-name", f"{LONG}:{LONG}"], f"No module named '{LONG}'"),
        (["--env-name", "a\nb\x1b[31m"], r"'a\nb\x1b[31m'"),
        (["--metalearner", "a\nb"], r"metalearner 'a\nb': no such method"),
        (["--output-folder", LONG], "File name too long"),
        (["--output-folder", "a\0b"], r"'a\x00b': expected no NUL"),
        (["--resume", LONG], "File name too long"),
        (["--config", LONG], "File name too long"),
        (["--config", "a\0b"], r"'a\x00b': expected no NUL"),
    ],
    ids=lambda value: " ".join(str(word)[:25] for word in value) if isinstance(value, list) else "",
)
def test_training(command: Command, options: list[object], complaint: str):
    line = command.fails("train", "--config", TABULAR, *TINY, *options)
    assert complaint in line
    assert line.isprintable()


@pytest.mark.parametrize(
    "kwargs",
    [
        "{low: -1.7e308, high: 1.7e308}",
        "{high: 1e999}",
        "{low: -1e999}",
        "{low: .nan}",
        "{low: 1e-3, high: -1e3}",
    ],
)
def test_ranges_that_no_float_holds(command: Command, kwargs: str):
    line = command.fails("train", "--config", NAVIGATION, *TINY, "--env-kwargs", kwargs)
    assert "low and high: expected numbers" in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["test", "--config", TABULAR, "--policy", LONG],
        ["test", "--config", TABULAR, "--policy", "random", "--tasks", LONG],
        ["test", "--config", TABULAR, "--policy", "random", "--output", LONG],
        ["test", "--config", TABULAR, "--policy", "random", "--compare", f"a={LONG}"],
        ["plot", LONG],
        ["compare", LONG],
        ["render", LONG],
        ["info", LONG],
    ],
    ids=lambda arguments: arguments[-2] + arguments[0],
)
def test_paths_of_other_commands(command: Command, arguments: list[object]):
    assert "File name too long" in command.fails(
        *arguments, *(["--num-workers", 0] * (arguments[0] == "test"))
    )


OWN = """
import {gym} as gym
from maml_rl.envs import TaskEnv

class Env(TaskEnv):
    observation_space = action_space = gym.spaces.Discrete(2)

    def __init__(self, mode=None, render_mode=None):
        {body}
"""


@pytest.mark.parametrize(
    ("text", "kwargs", "complaint"),
    [
        ("1 / 0", "{}", "division by zero (ZeroDivisionError at {}:1)"),
        ("def f(:", "{}", "(SyntaxError at {}:1)"),
        (OWN.format(gym="gymnasium", body="open('nothing')"), "{}", "(FileNotFoundError at {}:9)"),
        (
            OWN.format(gym="gymnasium", body="{}[mode]"),
            "{mode: a}",
            "with {'mode': 'a'}: 'a' (KeyError at {}:9)",
        ),
        (
            OWN.format(gym="gymnasium", body="pass"),
            "{render_mode: 3}",
            "cannot be made with {'render_mode': 3}",
        ),
        (
            OWN.format(gym="gymnasium", body="pass"),
            "{render_mode: [a]}",
            "cannot be made with {'render_mode'",
        ),
        (
            OWN.format(gym="gymnasium", body="pass"),
            "{render_mode: true}",
            "cannot be made with {'render_mode'",
        ),
    ],
)
def test_a_module_of_ones_own(
    command: Command, tmp_path: Path, request: pytest.FixtureRequest, text: str, kwargs: str, complaint: str
):
    name = f"mine_{tmp_path.name}"
    path = tmp_path / f"{name}.py"
    path.write_text(text)
    sys.path.append(str(tmp_path))
    request.addfinalizer(lambda: sys.modules.pop(name, None))
    options = ("--env-name", f"{name}:Env", "--env-kwargs", kwargs)
    assert complaint.replace("{}", str(path)) in command.fails("train", *TINY, *options)
