"""The code on pages: it is the package's, or it runs."""

import re
from pathlib import Path

import pytest

from maml_rl._system.yaml_file import parse_yaml
from tests.cli.helpers import Command, results
from tests.cli.pages import PAGES, ROOT, SHOWN, Block, blocks, without_comments
from tests.cli.shrinking import LEFT_OUT, shrunk

OWN = "my_methods.py"
SMALL = ("--env-name", "2DNavigation-v0", "--num-batches", 2, "--meta-batch-size", 3, "--fast-batch-size", 4)
TRANSLATED = ("mermaid", "shown")
"""Blocks of words."""


def python_blocks(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.language == "python"]


@pytest.mark.parametrize("page", PAGES)
def test_chinese_pages_have_the_same_code(page: str):
    """So the blocks of the English ones are the only ones that need to run."""
    ours, theirs = blocks(page), blocks(page.replace(".md", ".zh.md"))
    assert [block.language for block in ours] == [block.language for block in theirs]
    for one, other in zip(ours, theirs, strict=True):
        if one.language not in TRANSLATED:
            assert without_comments(one.code) == without_comments(other.code)


def test_every_block_is_of_a_kind_that_is_looked_at():
    every = [block for page in PAGES for block in blocks(page)]
    kinds = {"shell", "python", "yaml", "bibtex", "mermaid", "shown", "file"}
    assert {block.language for block in every} == kinds
    assert {(block.page, block.first_line) for block in every if block.language == "shown"} == SHOWN.keys()
    shell = "".join(block.code for block in every if block.language == "shell")
    assert all(part in shell for part in LEFT_OUT)
    for block in every:
        if block.language == "yaml":
            parse_yaml(block.code)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("envs", "envs"),
        ("train --num-batches 500 --num-workers 64 --fast-batch-size 2 --meta-batch-size 3", None),
        ("train --resume runs/x --num-batches 1000", "train --resume runs/x --num-batches 3"),
        ("render runs/x", "render runs/x --size 200"),
        ("sweep c.yaml --seeds 1-5 --jobs 4", "sweep c.yaml --seeds 1-2 --jobs 4 --set num-batches=1"),
    ],
)
def test_commands_are_made_light_work_of(given: str, expected: str | None):
    light = "train --num-batches 3 --num-workers 2 --fast-batch-size 2 --meta-batch-size 3"
    assert shrunk(given.split()) == (expected or light).split()


def test_how_to_add_a_method_shows_the_real_code():
    found = python_blocks("docs/new-method.md")
    places = [block.first_line.removeprefix("# ") for block in found]
    assert len(places) == 6
    for place, block in zip(places, found, strict=True):
        if place != OWN:
            assert block.code.partition("\n")[2] in (ROOT / place).read_text(encoding="utf-8"), place


def test_the_derivation_shows_the_real_code():
    (block,) = python_blocks("docs/maml-trpo.md")
    source = (ROOT / "maml_rl" / "optim" / "trust_region.py").read_text(encoding="utf-8")
    for line in without_comments(block.code).splitlines():
        assert re.search(rf"^\s*{re.escape(line)}( *#.*)?$", source, re.MULTILINE), line


def test_the_statistics_of_comparisons_are_called_as_the_page_says(capsys: pytest.CaptureFixture[str]):
    (block,) = python_blocks("docs/compare.md")
    exec(block.code, {})
    assert capsys.readouterr().out.count("[") == 2


@pytest.mark.parametrize(("page", "method"), [("new-method", "HeadOnly"), ("api", "MAMLAdam")])
def test_methods_outside_of_the_package_run(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, method: str
):
    (block,) = (block for block in python_blocks(f"docs/{page}.md") if f"class {method}" in block.code)
    module = f"shown_{page}".replace("-", "_")
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / f"{module}.py").write_text(block.code, encoding="utf-8")
    monkeypatch.syspath_prepend(modules)
    train = ("train", *SMALL, "--num-workers", 0, "--seed", 1)
    command.succeeds(*train, "--metalearner", f"{module}:{method}", "--output-folder", tmp_path / "own")
    if method == "HeadOnly":
        command.succeeds(*train, "--metalearner", "anil", "--output-folder", tmp_path / "anil")
        assert results(tmp_path / "own")["policy.th"] == results(tmp_path / "anil")["policy.th"]
