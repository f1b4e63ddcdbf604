"""The paper's curves on the start page: read off the drawn axes, they are what the tables hold."""

import csv
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks.paper.methods import TASKS
from docs.curves import WORDS, draw_curves

PAPER = Path("benchmarks/paper")
SVG = "{http://www.w3.org/2000/svg}"


def picture(task: str) -> ElementTree.Element:
    found = re.findall(r"<svg.*?</svg>", draw_curves("en"))
    assert len(found) == len(TASKS)
    return ElementTree.fromstring(found[list(TASKS).index(task)])


def ruler(svg: ElementTree.Element) -> np.poly1d:
    """Return what turns heights into returns, by the ticks."""
    labels = [text for text in svg.findall(f"{SVG}text") if text.get("text-anchor") == "end"]
    lines = [line for line in svg.findall(f"{SVG}line") if line.get("class") == "grid"]
    heights = [float(line.get("y1", "")) for line in lines]
    assert len(heights) >= 3
    assert all(abs(float(text.get("y", "")) - 4 - y) < 0.01 for text, y in zip(labels, heights, strict=True))
    return np.poly1d(np.polyfit(heights, [float((text.text or "").replace("−", "-")) for text in labels], 1))


def table(path: Path, **wanted: str) -> list[float]:
    with path.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if wanted.items() <= row.items()]
    return [float(row["mean_return"]) for row in rows]


@pytest.mark.parametrize("task", list(TASKS))
def test_lines_and_circles_stand_at_the_returns_of_the_tables(task: str):
    svg = picture(task)
    value = ruler(svg)
    precision = 0.1 * abs(value(1) - value(0))
    for method in ("maml", "pretrained", "random"):
        (group,) = (g for g in svg.findall(f"{SVG}g") if g.get("class") == f"curve-{method}")
        drawn = [
            [float(value(float(point.split(",")[1]))) for point in line.get("points", "").split()]
            for line in group.findall(f"{SVG}polyline")
        ]
        expected = [table(path) for path in sorted(PAPER.glob(f"{task}/{method}-*/test.csv"))]
        np.testing.assert_allclose(drawn, expected, rtol=0, atol=precision)
        circles = [float(value(float(x.get("cy", "")))) for x in group.findall(f"{SVG}circle")]
        published = table(PAPER / "published.csv", task=TASKS[task].published, method=method)
        np.testing.assert_allclose(circles, published, rtol=0, atol=precision)
    (oracle,) = (g for g in svg.findall(f"{SVG}g") if g.get("class") == "curve-oracle")
    lines = {line.get("class"): float(value(float(line.get("y1", "")))) for line in oracle}
    theirs = table(PAPER / "published.csv", task=TASKS[task].published, method="oracle")
    assert lines["dotted"] == pytest.approx(theirs[0], abs=precision)
    assert lines[""] == pytest.approx(table(PAPER / task / "oracle-1" / "test.csv")[0], abs=precision)


def test_both_languages_have_words_for_all():
    assert WORDS["en"].keys() == WORDS["zh"].keys()
