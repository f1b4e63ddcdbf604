"""``maml-rl info --system``."""

import getpass
import os
import platform
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from maml_rl import __version__
from maml_rl.viz import opengl
from tests.cli.helpers import Command

SECRET = "quince"


def report(command: Command) -> dict[str, str]:
    lines = command.succeeds("info", "--system").splitlines()
    pairs = [line.partition(": ") for line in lines]
    assert all(told for _, _, told in pairs)
    return {name: told for name, _, told in pairs}


@pytest.fixture(autouse=True)
def no_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the machine's: to try it takes seconds."""
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(opengl, "_works", lambda backend: False)


def test_it_says_what_is_installed_and_what_runs_it(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = report(command)
    assert found["maml-rl"] == __version__
    assert found["Python"].startswith(platform.python_version())
    packages = dict(package.split(" ") for package in found["packages"].split(", "))
    assert {"torch", "mujoco", "gymnasium", "numpy"} <= packages.keys()
    assert all(there == version(name) for name, there in packages.items())
    assert found["torch"].startswith(torch.__version__)
    assert found["threads"] == f"torch {torch.get_num_threads()}, OMP_NUM_THREADS=3"
    assert found["OpenGL"] == "none works"
    assert f"video (imageio-ffmpeg {version('imageio-ffmpeg')})" in found["extras"]


def test_it_can_be_shown_to_anybody(command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    home = tmp_path / SECRET
    home.mkdir()
    for name in ("HOME", "USER", "LOGNAME", "USERNAME", "USERPROFILE", "HOSTNAME"):
        monkeypatch.setenv(name, str(home) if "HOME" in name or "PROFILE" in name else SECRET)
    monkeypatch.chdir(home)
    assert getpass.getuser() == SECRET
    monkeypatch.setattr(platform, "node", lambda: SECRET)
    said = "\n".join(report(command).values())
    assert SECRET not in said
    assert os.sep not in said


def test_what_to_tell_of_is_said(command: Command, tabular_run: Path):
    wanted = "maml-rl: info: expected the output folder of a run, or --system"
    assert command.fails("info") == command.fails("info", tabular_run, "--system") == wanted
