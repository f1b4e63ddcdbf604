"""Modules of the user's own: what is said of those that are missing, fail, or came with somebody's run."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from maml_rl._system.own_code import check_origin, load_named, trusting
from maml_rl.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The working folder, not on Python's path until a module is asked for."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = {*sys.modules}
    yield here
    for name in {*sys.modules} - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


def complaint(name: str) -> str:
    with pytest.raises(UsageError) as caught:
        load_named(name, f"thing '{name}'")
    message = str(caught.value)
    assert message.startswith(f"thing '{name}': ")
    return message.partition("': ")[2]


def test_the_working_folder_is_looked_in_last(folder: Path):
    (folder / "mine_one.py").write_text("class A:\n    class B: pass\n")
    (folder / "json.py").write_text("class A: pass\n")
    assert load_named("mine_one:A.B", "it").__qualname__ == "A.B"
    assert complaint("json:A").startswith(f"module 'json' ({sys.modules['json'].__file__}) has no attribute")
    assert sys.path[-1] == str(folder)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("\n1 / 0\n", "division by zero (ZeroDivisionError at {}:2)"),
        ("class A:\n    x = (\n", "'(' was never closed (SyntaxError at {}:2)"),
        (
            "def f():\n    import numpy\n    numpy.zeros(-1)\nf()",
            "negative dimensions .*(ValueError at {}:3)",
        ),
        ("import sys\nsys.exit(0)", "0 (SystemExit at {}:2)"),
        ("assert False", "AssertionError at {}:1"),
        ("raise OSError('two\\nlines')", "two lines (OSError at {}:1)"),
        ("import no_such_one", "No module named 'no_such_one' (ModuleNotFoundError at {}:1)"),
        ("import mujoco_py", "No module named 'mujoco_py' .*; mujoco_py is mujoco now"),
        ("from gymnasium.envs.mujoco import ant_v1", "cannot import name 'ant_v1' .*robots are -v5 now"),
    ],
)
def test_a_module_that_fails(folder: Path, text: str, said: str):
    (folder / "mine_two.py").write_text(text)
    message = complaint("mine_two:A")
    for part in said.format(folder / "mine_two.py").split(" .*"):
        assert part.strip() in message


def test_gym_in_place_of_gymnasium(folder: Path, monkeypatch: pytest.MonkeyPatch):
    (folder / "mine_three.py").write_text("import gym\n")
    monkeypatch.delitem(sys.modules, "gym", raising=False)
    monkeypatch.setattr(sys, "meta_path", [_NoGym(), *sys.meta_path])
    assert complaint("mine_three:A").endswith("; gym is gymnasium now: write 'import gymnasium as gym'")


class _NoGym:
    def find_spec(self, name: str, *_: object) -> None:
        if name == "gym":
            raise ModuleNotFoundError("No module named 'gym'", name="gym")


@pytest.mark.parametrize(
    "name",
    ["", ":", "a", "a:", ":B", "..:B", "no.such:B", "a b:C", "a\0:B", "x" * 300 + ":B", "\udcff:B", ".a:B"],
)
def test_names_of_nothing(name: str):
    with pytest.raises(UsageError):
        load_named(name, "it")


def test_code_of_a_run_is_found_without_importing_it(folder: Path):
    run = folder / "runs" / "x"
    (run / "package").mkdir(parents=True)
    bomb = "raise RuntimeError('it was imported')"
    for name in ("evil.py", "package/__init__.py", "package/inner.py"):
        (run / name).write_text(bomb)
    refused = ["runs.x.evil:A", "runs.x.package.inner:A"]
    for name in refused:
        with pytest.raises(UsageError, match=rf"names code in itself: '{name}' is .*; .* pass --trust"):
            check_origin(name, run)
        with trusting(True):
            check_origin(name, run)
    for name in (
        "evil:A",
        "json:JSONDecoder",
        "TabularMDP-v0",
        "maml_rl.envs:TabularMDP-v0",
        "no.such:A",
        ":",
    ):
        check_origin(name, run)
    (folder / "mine_four.py").write_text(bomb)
    check_origin("mine_four:A", run)


@pytest.mark.parametrize("spelling", [".", "../here", "link"])
def test_the_run_is_the_working_folder(folder: Path, spelling: str):
    (folder / "evil.py").write_text("")
    (folder.parent / "link").symlink_to(folder)
    with pytest.raises(UsageError, match="names code in itself: 'evil:A'"):
        check_origin("evil:A", folder.parent / "link" if spelling == "link" else Path(spelling))
