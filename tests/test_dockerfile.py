"""The Dockerfile, without Docker: what its build is given, and what its container runs."""

import json
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

import pytest

from tests.cli.helpers import run

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
INSTRUCTIONS = [
    tuple(line.split(maxsplit=1))
    for line in (ROOT / "Dockerfile").read_text().splitlines()
    if line and not line.startswith("#")
]


def values(instruction: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == instruction]


def is_in_context(path: str) -> bool:
    """Apply .dockerignore: the last pattern that matches the path, or a folder above it, decides."""
    ignored = False
    parts = PurePosixPath(path).parts
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        wanted = line.startswith("!")
        pattern = line.removeprefix("!")
        prefixes = ["/".join(parts[:n]) for n in range(1, len(parts) + 1)]
        anywhere = pattern.startswith("**/") and pattern[3:] in parts
        if anywhere or any(_matches(prefix, pattern) for prefix in prefixes):
            ignored = not wanted
    return not ignored


def _matches(path: str, pattern: str) -> bool:
    """A star stands for letters of one folder's name."""
    pairs = (path.split("/"), pattern.split("/"))
    return len(pairs[0]) == len(pairs[1]) and all(map(fnmatch, *pairs))


def wanted_by_the_wheel() -> list[str]:
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    names = [
        *wheel["packages"],
        *wheel["force-include"],
        *PROJECT["project"]["license-files"],
        "pyproject.toml",
    ]
    files = [
        file
        for name in names
        for file in ([ROOT / name] if (ROOT / name).is_file() else (ROOT / name).rglob("*"))
        if file.is_file() and "__pycache__" not in file.parts
    ]
    return [file.relative_to(ROOT).as_posix() for file in files]


def test_the_build_is_given_all_that_the_wheel_is_made_of():
    files = wanted_by_the_wheel()
    assert {"maml_rl/__init__.py", "configs/maml/2d-navigation.yaml"} <= set(files)
    assert any(file.endswith("policy.th") for file in files)
    assert [file for file in files if not is_in_context(file)] == []


def test_the_build_is_given_what_is_copied():
    sources = [word for rest in values("COPY") if "--from" not in rest for word in rest.split()[:-1]]
    assert "." in sources
    for source in sources:
        assert (ROOT / source).exists()
        assert source == "." or is_in_context(source)


@pytest.mark.parametrize(
    "path",
    [
        *(".git/HEAD", ".venv/bin/python", "runs/a/policy.th", "site/index.html", "tests/builders.py"),
        *("maml_rl/__pycache__/a.pyc", "maml_rl/cli/__pycache__/a.pyc", "benchmarks/paper/README.md"),
    ],
)
def test_the_build_is_given_nothing_else(path: str):
    assert not is_in_context(path)


def test_the_container_runs_a_script_of_the_wheel(tmp_path: Path):
    (entry,), (default,) = values("ENTRYPOINT"), values("CMD")
    (script,) = json.loads(entry)
    assert script in PROJECT["project"]["scripts"]
    done = run(script, *json.loads(default), cwd=tmp_path)
    assert done.returncode == 0
    assert "train" in done.stdout


def test_the_container_is_not_roots_and_its_runs_outlive_it():
    (user,), (volume,) = values("USER"), values("VOLUME")
    assert user not in ("root", "0")
    assert values("WORKDIR")[-1] == volume  # Where the runs/ of the command line go.
    made = next(rest for rest in values("RUN") if "useradd" in rest)
    assert re.search(rf"--owner {user} {volume}\b", made)
    names = [name for name, _ in INSTRUCTIONS]
    assert (
        names.index("VOLUME") > names.index("USER") > max(i for i, name in enumerate(names) if name == "RUN")
    )


def test_the_extras_that_are_installed_are_there():
    (extras,) = re.findall(r"\.whl\)\[([\w,]+)\]", "".join(values("RUN")))
    assert set(extras.split(",")) <= set(PROJECT["project"]["optional-dependencies"])
