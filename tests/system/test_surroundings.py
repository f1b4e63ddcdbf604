"""Where workers look for modules and files."""

import os
import site
import sys
from pathlib import Path

import pytest

from maml_rl._system.surroundings import Surroundings

INSTALLED = site.getsitepackages()[0]


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (["{cwd}", "/lib", INSTALLED], ["/lib", "{cwd}", INSTALLED]),
        (["", "{cwd}", "/lib", INSTALLED], ["/lib", "{cwd}", INSTALLED]),
        (["", "/lib"], ["/lib", "{cwd}"]),
        (["/bin", "/lib", INSTALLED, "{cwd}"], ["/bin", "/lib", INSTALLED, "{cwd}"]),
        (["/mine", "{cwd}", "/lib"], ["/mine", "{cwd}", "/lib"]),
    ],
)
def test_the_working_folder_is_never_first(
    path: list[str], expected: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry.format(cwd=tmp_path) for entry in path])
    assert Surroundings.of_this_process().path == [entry.format(cwd=tmp_path) for entry in expected]


def test_entries_that_python_passes_over_are_left_out(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", ["/lib", Path("/mine")])
    assert Surroundings.of_this_process().path == ["/lib"]


def test_a_worker_takes_what_its_caller_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["/lib"])
    monkeypatch.setattr(sys, "argv", ["script.py", "1"])
    taken = Surroundings.of_this_process()
    monkeypatch.setattr(sys, "path", ["/other"])
    monkeypatch.setattr(sys, "argv", ["-c"])
    monkeypatch.chdir("/")
    taken.enter()
    assert (sys.path, sys.argv, Path.cwd()) == (["/lib"], ["script.py", "1"], tmp_path)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a working folder cannot be removed")
def test_a_working_folder_that_is_gone_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    before = Surroundings.of_this_process()
    folder.rmdir()
    assert Surroundings.of_this_process().folder is None
    os.chdir(tmp_path)
    before.enter()
    assert Path.cwd() == tmp_path
