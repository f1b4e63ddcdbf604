"""Reads back what is on a report's page."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any


class Tables(HTMLParser):
    """Tables by their label, as rows of texts; the head is the first."""

    def __init__(self, text: str):
        super().__init__()
        self.tables: dict[str, list[list[str]]] = {}
        self._rows: list[list[str]] = []
        self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        given = dict(attrs)
        if given.get("role") == "region":
            self._rows = self.tables.setdefault(given["aria-label"], [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self._rows[-1][-1] += data


def tables(page: Path) -> dict[str, list[dict[str, str]]]:
    """Return the rows of each table, by its columns' names."""
    read = Tables(page.read_text(encoding="utf-8")).tables
    return {
        name: [dict(zip(head, row, strict=False)) for row in rows] for name, (head, *rows) in read.items()
    }


def drawn(page: Path) -> dict[str, Any]:
    """Return the data that the page's charts are drawn from."""
    text = page.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    read: dict[str, Any] = json.loads(found[1])
    return read


def value(text: str) -> float:
    """Return the number that a cell shows."""
    return float(text.replace("−", "-").replace(",", ""))
