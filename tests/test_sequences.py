"""Sequence diagrams of the documentation: every name and message is drawn, on the page that has them."""

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from docs.sequences import FENCE, draw_sequences

PAGES = [path for path in Path("docs").glob("*.md") if "```mermaid" in path.read_text(encoding="utf-8")]


def texts(drawn: str) -> list[str]:
    (picture,) = re.findall(r"<svg.*</svg>", drawn)
    return [
        element.text or ""
        for element in ElementTree.fromstring(picture).iter()
        if element.tag.endswith("text")
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_all_that_a_diagram_says_is_drawn(page: Path):
    (source,) = FENCE.findall(page.read_text(encoding="utf-8"))
    drawn = texts(draw_sequences(page.read_text(encoding="utf-8")))
    for line in source.strip().splitlines():
        said = re.sub(r"^\s*(participant \w+ as|\w+--?>>\w+:|loop) ?", "", line)
        if said.strip() != "end":
            assert all(part in drawn for part in said.split("<br/>")), line


def test_there_are_pages_with_diagrams():
    assert len(PAGES) == 4


def test_what_is_not_understood_is_an_error():
    with pytest.raises(ValueError, match="loop or end, got 'alt a'"):
        draw_sequences("```mermaid\nsequenceDiagram\nalt a\n```")
