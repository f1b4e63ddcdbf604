"""A run's folder that somebody passed on: its code does not run, and its names do not draw on a terminal."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.helpers import Command, contents, run, the_line

OWN = """
from pathlib import Path
from maml_rl.config import Block
from maml_rl.envs.navigation import Navigation2DEnv
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.policies.modules.perceptrons import LayerNormPerceptron as Policy

Path(__file__).with_name("owned").touch()

class Env(Navigation2DEnv):
    pass

class Method(TrustRegionMAML):
    from maml_rl.config.keys.maml_trpo import MAMLTRPOKeys as Settings
"""


@pytest.fixture
def folder(tmp_path: Path, navigation_run: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder: a run, with a module in it."""
    for name, content in contents(navigation_run).items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    (tmp_path / "evil.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield tmp_path
    sys.modules.pop("evil", None)


def name_it(folder: Path, key: str) -> None:
    names = {"env-name": "evil:Env", "policy": "evil:Policy", "metalearner": "evil:Method"}
    path = folder / "config.json"
    entries = json.loads(path.read_text()) | {key: names[key]}
    path.write_text(json.dumps(entries))


COMMANDS: dict[str, list[Any]] = {
    "render": ["render", ".", "--output", "a.gif", "--num-steps", 0],
    "plot": ["plot", "."],
    "report": ["report", ".", "--num-tasks", 1],
    "info": ["info", "."],
    "compare": ["compare", "."],
    "test": ["test", "--config", "config.json", "--policy", "policy.th", "--num-workers", 0],
    "resume": ["train", "--resume", ".", "--num-batches", 3, "--num-workers", 0],
    "train": ["train", "--config", "config.json", "--output-folder", "new", "--num-workers", 0],
}


@pytest.mark.parametrize("key", ["env-name", "policy", "metalearner"])
@pytest.mark.parametrize("name", COMMANDS)
def test_code_that_came_with_a_run_does_not_run(command: Command, folder: Path, name: str, key: str):
    name_it(folder, key)
    before = contents(folder)
    line = command.fails(*COMMANDS[name])
    assert "names code in itself: 'evil:" in line
    assert "pass --trust" in line
    assert contents(folder) == before


@pytest.mark.parametrize("name", ["render", "report", "test", "resume"])
def test_it_runs_if_it_is_trusted(command: Command, folder: Path, name: str):
    name_it(folder, "metalearner")
    if name == "resume":  # It may be refused later: checkpoints are of another method.
        command(*COMMANDS[name], "--trust")
    else:
        command.succeeds(*COMMANDS[name], "--trust", *(["--num-batches", 1] if name == "test" else []))
    assert (folder / "owned").exists()


def test_a_module_elsewhere_is_the_users_own(command: Command, folder: Path):
    name_it(folder, "metalearner")
    elsewhere = folder.parent / f"{folder.name}-modules"
    elsewhere.mkdir()
    (folder / "evil.py").rename(elsewhere / "evil.py")
    sys.path.append(str(elsewhere))
    command.succeeds("info", ".")


@pytest.mark.slow
def test_modules_in_the_working_folder_are_not_found_by_accident(folder: Path):
    """Libraries try to import what may be missing; here it would be there."""
    for name in ("tensorflow", "wandb", "imageio_ffmpeg", "moviepy", "pygame", "jax", "evil"):
        (folder / f"{name}.py").write_text("from pathlib import Path\nPath('owned').touch()\n")
    arguments = ("train", "--resume", ".", "--num-batches", 3, "--num-workers", 0)  # Writes for TensorBoard.
    assert run("maml-rl", *arguments, cwd=folder).returncode == 0
    assert not (folder / "owned").exists()


def test_escape_codes_of_a_run_do_not_reach_the_terminal(command: Command, folder: Path):
    path = folder / "config.json"
    entries = json.loads(path.read_text())
    path.write_text(json.dumps(entries | {"output_folder": "\x1b[2Jgone\nmaml-rl: all is well"}))
    said = command.succeeds("info", ".")
    assert "\x1b" not in said
    assert r"\x1b[2Jgone\nmaml-rl: all is well" in said
    path.write_text(json.dumps(entries | {"\x1b[31m\nkey": 1}))
    assert r"unknown key '\x1b[31m\nkey'" in command.fails("info", ".")
    path.write_text(json.dumps(entries | {"env-name": "\x1b]0;title\x07\n"}))
    assert "environment '\\x1b]0;title\\x07\\n'" in command.fails("render", ".", "--output", "a.gif")


def test_a_fork_of_2020_is_tested_with_a_warning(folder: Path):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"save_every": 1, "fast_lr": 0.7}))
    test = ("test", "--config", "config.json", "--policy", "policy.th", "--num-workers", 0)
    done = run("maml-rl", *test, "--num-batches", 1, "--meta-batch-size", 2, cwd=folder)
    assert done.returncode == 0
    assert done.stderr == "config.json: passed over, as nothing here reads it: 'save_every, fast_lr'\n"
    done = run("maml-rl", "train", "--config", "config.json", cwd=folder)
    assert done.returncode == 2
    assert "'fast-lr' is given twice" in the_line(done.stderr)
