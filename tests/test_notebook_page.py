"""The notebook as a page of the documentation."""

import base64
import json
from pathlib import Path

from docs.notebooks import notebook

QUICKSTART = Path(__file__).parents[1] / "examples" / "quickstart.ipynb"


def cell(kind: str, source: str, *outputs: object) -> dict[str, object]:
    lines = source.splitlines(keepends=True)
    return {"cell_type": kind, "source": lines, **({"outputs": list(outputs)} if kind == "code" else {})}


def test_texts_code_and_what_it_left_follow_one_another(tmp_path: Path):
    cells = [
        cell("markdown", "# Title\n\nSee [metrics](../docs/metrics.md).\n\n## Part"),
        cell("code", "print(1)\n2", {"text": ["1\n"]}, {"data": {"text/plain": ["\x1b[31m2\x1b[0m"]}}),
        cell("code", "draw()", {"data": {"image/png": "QUJD\n", "text/plain": ["<Figure>"]}}),
        cell("code", "quiet()"),
    ]
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": cells}))
    assert notebook(path).split("\n\n") == [
        "## Title",
        "See [metrics](metrics.md).",
        "### Part",
        "```python\nprint(1)\n2\n```",
        "```text\n1\n```",
        "```text\n2\n```",
        "```python\ndraw()\n```",
        "![Figure](data:image/png;base64,QUJD)",
        "```python\nquiet()\n```\n",
    ]


def test_the_quickstart_is_there_with_its_two_pictures():
    page = notebook(QUICKSTART)
    pictures = [part.split(")")[0] for part in page.split("](data:image/png;base64,")[1:]]
    assert [base64.b64decode(picture)[1:4] for picture in pictures] == [b"PNG", b"PNG"]
    assert "../docs/" not in page
