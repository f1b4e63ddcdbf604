"""Jupyter notebooks as Markdown: texts, code, and what the code left."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LINK_TO_DOCS = re.compile(r"\]\((?:\.\./)*docs/")
COLORS = re.compile(r"\x1b\[[0-9;]*m")
"""What terminals take for colours."""


def notebook(path: Path) -> str:
    """Return the notebook as a page of the documentation; its headings become one level deeper."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join(part for cell in cells for part in _parts(cell)) + "\n"


def _parts(cell: Mapping[str, Any]) -> Iterator[str]:
    source = "".join(cell["source"])
    if cell["cell_type"] == "markdown":
        yield re.sub("^#", "##", LINK_TO_DOCS.sub("](", source), flags=re.MULTILINE)
        return
    yield _fenced("python", source)
    for output in cell["outputs"]:
        data = output.get("data", {})
        if "image/png" in data:
            yield f"![{_plain(data)}](data:image/png;base64,{''.join(data['image/png']).strip()})"
        else:
            yield _fenced("text", COLORS.sub("", _plain(data) or "".join(output.get("text", ""))))


def _plain(data: Mapping[str, Any]) -> str:
    return "".join(data.get("text/plain", "")).strip("<>")


def _fenced(language: str, text: str) -> str:
    return f"```{language}\n{text.rstrip()}\n```"
