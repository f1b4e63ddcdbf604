"""The code on documentation pages: it is the package's, or it runs."""

import re
from pathlib import Path

import pytest

from tests.cli.helpers import Command, results

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OWN = "my_methods.py"
SMALL = ("--env-name", "2DNavigation-v0", "--num-batches", 2, "--meta-batch-size", 3, "--fast-batch-size", 4)
languages = pytest.mark.parametrize("language", ["", ".zh"], ids=["en", "zh"])


def blocks(page: str) -> list[str]:
    return BLOCK.findall((ROOT / "docs" / page).read_text(encoding="utf-8"))


@languages
def test_how_to_add_a_method_shows_the_real_code(language: str):
    found = blocks(f"new-method{language}.md")
    places = [block.partition("\n")[0].removeprefix("# ") for block in found]
    assert len(places) == 6
    for place, block in zip(places, found, strict=True):
        if place != OWN:
            assert block.partition("\n")[2] in (ROOT / place).read_text(encoding="utf-8"), place


@languages
def test_the_statistics_of_comparisons_are_called_as_the_page_says(
    language: str, capsys: pytest.CaptureFixture[str]
):
    (code,) = blocks(f"compare{language}.md")
    exec(code, {})
    assert capsys.readouterr().out.count("[") == 2


@languages
@pytest.mark.parametrize(("page", "method"), [("new-method", "HeadOnly"), ("api", "MAMLAdam")])
def test_methods_outside_of_the_package_run(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: str, method: str, language: str
):
    (code,) = (block for block in blocks(f"{page}{language}.md") if f"class {method}" in block)
    module = f"{page}_{language or '.en'}".replace("-", "_").replace(".", "")
    modules = tmp_path / "modules"
    modules.mkdir()
    (modules / f"{module}.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(modules)
    train = ("train", *SMALL, "--num-workers", 0, "--seed", 1)
    command.succeeds(*train, "--metalearner", f"{module}:{method}", "--output-folder", tmp_path / "own")
    if method == "HeadOnly":
        command.succeeds(*train, "--metalearner", "anil", "--output-folder", tmp_path / "anil")
        assert results(tmp_path / "own")["policy.th"] == results(tmp_path / "anil")["policy.th"]
