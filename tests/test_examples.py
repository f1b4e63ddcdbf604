"""The examples run as they are."""

import ast
import os
import re
import resource
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SCRIPTS = sorted(path.stem for path in EXAMPLES.glob("*.py"))
UPDATE = re.compile(r"^meta-update (\d+): (-[\d.]+) before, (-[\d.]+) after adaptation", re.MULTILINE)


def printed_by(name: str, folder: Path) -> str:
    """Run an example, from another folder; return what it prints. It may take a minute of a processor."""

    def seconds() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    before = seconds()
    command = [sys.executable, str(EXAMPLES / f"{name}.py")]
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert seconds() - before < 60
    assert list(folder.iterdir()) == []
    return done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", ["custom_policy", "custom_loss", "custom_method"])
def test_what_is_ones_own_learns_to_adapt(name: str, tmp_path: Path):
    updates = [
        (float(before), float(after)) for _, before, after in UPDATE.findall(printed_by(name, tmp_path))
    ]
    assert len(updates) == 12
    assert updates[-1][1] > updates[0][1] + 20
    assert updates[-1][1] > updates[-1][0] + 10


@pytest.mark.slow
def test_an_environment_of_ones_own_is_adapted_to(tmp_path: Path):
    updates = UPDATE.findall(printed_by("custom_env", tmp_path))
    assert [int(number) for number, _, _ in updates] == [*range(1, 13)]
    before, after = (sum(float(update[i]) for update in updates) / 12 for i in (1, 2))
    assert after > before + 5


@pytest.mark.slow
def test_a_run_that_was_stopped_ends_like_any_other(tmp_path: Path):
    assert printed_by("resume", tmp_path).splitlines() == [
        "stopped after 4 meta-updates",
        "went on to 8",
        "metrics.csv is the same as without the stop",
        "policy.th is the same as without the stop",
    ]


@pytest.mark.slow
def test_methods_are_compared_after_each_step(tmp_path: Path):
    lines = printed_by("compare_methods", tmp_path).splitlines()
    starts = [f"{method} after {step} steps: -" for method in ("maml-trpo", "promp") for step in range(3)]
    assert [line[: len(start)] for line, start in zip(lines, starts, strict=True)] == starts
    assert ["with probability" in line for line in lines] == [False] * 3 + [True] * 3


def test_each_example_is_short_explained_and_on_the_page():
    assert len(SCRIPTS) == 6
    pages = [
        (ROOT / "docs" / f"examples{language}.md").read_text(encoding="utf-8") for language in ("", ".zh")
    ]
    for name in SCRIPTS:
        source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        assert source.count("\n") < 100
        assert len((ast.get_docstring(ast.parse(source)) or "").splitlines()) >= 3
        for page in pages:
            assert page.count(f'--8<-- "examples/{name}.py"') == 1


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Jupyter's own.
def test_the_quickstart_notebook_takes_less_than_three_minutes():
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    started = time.monotonic()
    where = {"metadata": {"path": str(EXAMPLES)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    assert time.monotonic() - started < 180
    printed = "".join(o.get("text", "") for cell in notebook.cells for o in cell.get("outputs", []))
    last = printed.split("meta-update 25: ")[1].split()
    assert float(last[2]) > float(last[0]) + 10  # After adaptation, and before.
    pictures = [
        o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 2
