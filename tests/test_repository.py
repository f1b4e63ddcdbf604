"""What the forge and the developers' tools read: workflows, forms, hooks, the citation."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = sorted(path for path in (GITHUB / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
MATRIX = re.compile(r"\$\{\{ matrix\.(\w+) \}\}")


def read(path: Path) -> Any:
    """YAML whose words stay words, ``on`` too."""
    return yaml.load(path.read_text(encoding="utf-8"), yaml.BaseLoader)


def commands(workflow: dict[str, Any]) -> Iterator[str]:
    """Yield what the steps run, once for every value of the matrix."""
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for step in job["steps"]:
            found = MATRIX.search(step.get("run", ""))
            values = matrix[found[1]] if found else [""]
            yield from (MATRIX.sub(value, step["run"]) for value in values if "run" in step)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_workflows_run_nothing_but_targets_of_the_makefile(path: Path):
    if shutil.which("make") is None:
        pytest.skip("no make")
    found = set(commands(read(path)))
    assert {"make lint docs", "make coverage", "make matrix-lowest", "make matrix-newest"} <= found
    for command in found:
        words = command.split()
        assert words[0] == "make", command
        done = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    tried = subprocess.run(["make", "--dry-run", "tset"], cwd=ROOT, capture_output=True, text=True)
    assert tried.returncode != 0  # Or the dry run would accept anything.


def test_every_python_that_the_package_names_is_tested():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    named = {line.rpartition(" ")[2] for line in project["classifiers"] if ":: Python :: 3." in line}
    assert (
        set(read(GITHUB / "workflows" / "test.yml")["jobs"]["tests"]["strategy"]["matrix"]["python"]) == named
    )


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_forms_have_what_github_asks_for(path: Path):
    form = read(path)
    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"]]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in form["body"])


def test_a_bug_report_asks_for_the_system():
    (system,) = (
        field for field in read(GITHUB / "ISSUE_TEMPLATE" / "bug.yml")["body"] if field["id"] == "system"
    )
    assert "maml-rl info --system" in system["attributes"]["label"]
    assert system["validations"]["required"] == "true"


def test_hooks_are_the_tools_of_make_lint():
    """At the versions of constraints.txt, for both take them from .venv."""
    hooks = [hook for repo in read(ROOT / ".pre-commit-config.yaml")["repos"] for hook in repo["hooks"]]
    entries = [hook["entry"].split() for hook in hooks]
    assert all(hook["language"] == "system" for hook in hooks)
    assert all(words[0].startswith(".venv/bin/") for words in entries)
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe is not None
    tools = set(re.findall(r"\$\(BIN\)/([\w-]+)", recipe[1]))
    assert {Path(words[0]).name for words in entries} == tools


def test_the_citation_names_the_newest_release():
    citation = read(ROOT / "CITATION.cff")
    released = re.findall(
        r"^## \[(\d[\d.]*)\] - (\S+)$", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE
    )
    assert (citation["version"], citation["date-released"]) == released[0]
    for page in ("citing.md", "citing.zh.md"):
        assert f"version = {{{citation['version']}}}" in (ROOT / "docs" / page).read_text("utf-8")
