"""The commands and the programs on pages run, one after another, in a folder like the source tree's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from maml_rl.cli import main
from maml_rl.errors import UsageError
from maml_rl.viz import opengl
from tests.cli.helpers import NAVIGATION
from tests.cli.pages import PAGES, ROOT, Block, blocks, script

pytestmark = pytest.mark.slow
PENDULUM = ("--env-name", "Pendulum-v1", "--task-space", "{g: [5, 15], l: [0.5, 1.5]}")
GIVEN = {"docs/environments.md": PENDULUM}
"""What the page's runs/x was trained on; 2D navigation if nothing is said."""
SIZES = ("--num-batches", 2, "--meta-batch-size", 4, "--fast-batch-size", 4, "--num-workers", 0, "--seed", 1)
"""Of those runs; a page looks at their fourth task."""
RUNS: dict[str, tuple[object, ...]] = {"x": (), "y": (), "sweep/one": (), "sweep/two": ("--fast-lr", 0.05)}
"""Runs that pages suppose, and what is particular to each."""
SHIMS = {
    "maml-rl": 'exec "{python}" -m tests.cli.shrinking "$@"',
    # Targets are there; what they do is tested where it is done.
    "make": 'exec "{make}" -C "{root}" --dry-run "$@"',
    "pytest": 'cd "{root}" && exec "{python}" -m pytest --quiet --collect-only "$@"',
    # Benchmarks take minutes to hours.
    "python": '[ "$1" = -m ] && exec "{python}" -c "import $2"',
    # These change the environment, or need what not every machine has.
    **dict.fromkeys(("pip", "docker", "jupyter", "ray", "sbatch"), "exit 0"),
}
"""What programs do in place of what they would do."""
PRELUDES = {
    "docs/how-sampling-works.md": """
from maml_rl import Config, Recipe, Run, RunSettings
run = Run(Config(env_name="2DNavigation-v0"), RunSettings(seed=1)).__enter__()
sampler, recipe, theta, iteration = run.sampler, Recipe.of(run.config), run.init().theta, 0
tasks = sampler.sample_tasks(2, iteration)
""",
    "docs/troubleshooting.md": """
from pathlib import Path
import gymnasium as gym
import maml_rl.envs
from maml_rl import Run, RunSettings, load_config, train
from maml_rl.training.state import load_theta
run = Run(load_config(Path("runs/x/config.json"))[0], RunSettings(seed=1)).__enter__()
""",
}
"""What the fragments of a page suppose."""
EPILOGUES = dict.fromkeys(PRELUDES, "\nrun.__exit__(None, None, None)\n")
EPILOGUES["docs/how-sampling-works.md"] = (
    "\nsampler.sample_wait(rounds)" + EPILOGUES["docs/troubleshooting.md"]
)
SOURCE = ("docs/new-method.md", "docs/maml-trpo.md")
"""Pages that show the package's own code, see test_docs.py."""


def pages_with(language: str) -> list[str]:
    return [page for page in PAGES if any(block.language == language for block in blocks(page))]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the reader stands."""
    for name in ("configs", "examples"):
        shutil.copytree(ROOT / name, tmp_path / name)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "activate").touch()
    shims = tmp_path / "shims"
    shims.mkdir()
    places = {"python": sys.executable, "make": shutil.which("make") or "false", "root": ROOT}
    for name, what in SHIMS.items():
        (shims / name).write_text(f"#!/bin/sh\n{what.format(**places)}\n")
        (shims / name).chmod(0o755)
    return tmp_path


def with_runs(folder: Path, page: str, code: str) -> None:
    """Put the runs there that the page supposes."""
    training = GIVEN.get(page, ("--config", NAVIGATION))
    for name, other in RUNS.items():
        if f"runs/{name.partition('/')[0]}/" in code or f"runs/{name}\n" in code:
            words = ("train", *training, *other, *SIZES, "--output-folder", folder / "runs" / name)
            main([str(word) for word in words])


def with_modules(folder: Path, code: str) -> None:
    """Put the reader's modules there: some page shows them."""
    shown = [block.code for page in PAGES for block in blocks(page) if block.language == "python"]
    for module, name in set(re.findall(r"\b(my_\w+):(\w+)", code)):
        for each in shown:
            if f"class {name}(" in each:
                (folder / f"{module}.py").write_text(each, encoding="utf-8")


def run(folder: Path, *command: str) -> str:
    path = os.pathsep.join((str(folder / "shims"), os.environ["PATH"]))
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "MPLBACKEND": "agg"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=1500,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.mark.parametrize("page", pages_with("shell"))
def test_commands(page: str, folder: Path):
    code = "".join(script(block) for block in blocks(page) if block.language == "shell")
    if "maml-rl render" in code:
        try:
            opengl.choose_opengl()
        except UsageError as error:
            pytest.skip(str(error))
    with_runs(folder, page, code)
    with_modules(folder, code)
    run(folder, "bash", "-euo", "pipefail", "-c", code)


def program(page: str, found: list[Block]) -> str:
    """Return the page's blocks as one program: what is shown first is known further down."""
    code = "\n".join(block.code for block in found)
    return PRELUDES.get(page, "") + code + EPILOGUES.get(page, "")


@pytest.mark.parametrize("page", [page for page in pages_with("python") if page not in SOURCE])
def test_programs(page: str, folder: Path):
    code = program(page, [block for block in blocks(page) if block.language == "python"])
    with_runs(folder, page, code)
    (folder / "shown.py").write_text(code, encoding="utf-8")
    run(folder, sys.executable, "shown.py")


def test_a_command_that_fails_is_noticed(folder: Path):
    with pytest.raises(AssertionError, match=r"maml-rl: .*tran"):
        run(folder, "bash", "-euo", "pipefail", "-c", "maml-rl envs\nmaml-rl tran\nmaml-rl envs\n")
