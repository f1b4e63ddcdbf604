"""The page of a report: its parts, its style and its script in one file."""

import json
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from maml_rl import __version__
from maml_rl._system.files import write_atomically
from maml_rl.viz.report import sections
from maml_rl.viz.report.adapting import Adapted
from maml_rl.viz.report.charts import adaptation_chart, learning_chart
from maml_rl.viz.report.elements import Element, document, element
from maml_rl.viz.report.runs import ReportedRun
from maml_rl.viz.style import COLORS

HERE = Path(__file__).parent
STYLE, SCRIPTS = "report.css", ("chart.js", "tables.js")
ALONE = (
    "default-src 'none'; img-src data:; media-src data:",
    "style-src 'unsafe-inline'; script-src 'unsafe-inline'",
)
"""Policy by which a browser lets the page ask nobody for anything."""
PACKAGES = ("torch", "numpy", "gymnasium", "mujoco")


def write_report(path: Path, runs: Sequence[ReportedRun], adapted: Sequence[Adapted]) -> None:
    """Write the report of ``runs``, and of how they adapt, one each.

    Raises:
        UsageError: the file cannot be written.
    """
    # A name may hold letters that no file can.
    text = report_page(runs, adapted).encode("utf-8", "backslashreplace")
    write_atomically(path, lambda file: file.write(text))


def report_page(runs: Sequence[ReportedRun], adapted: Sequence[Adapted]) -> str:
    """Return the page as HTML."""
    results = {number: found.results for number, found in enumerate(adapted) if found.results}
    charts = {"learning": learning_chart(runs), "adaptation": adaptation_chart(results)}
    parts = [
        sections.summary(runs),
        sections.learning(charts["learning"]),
        sections.adaptation(runs, adapted),
        sections.tasks(runs, adapted),
        sections.pictures(runs, adapted),
        sections.config(runs),
        sections.origin(runs, _made()),
    ]
    data = {"runs": [run.label for run in runs], "colors": COLORS, "charts": charts}
    shown = [part for part in parts if part is not None]
    environments = ", ".join(dict.fromkeys(run.config.env_name for run in runs))
    title = f"{environments}: {len(runs)} run{'s' * (len(runs) > 1)} of maml_rl"
    body = element(
        "body",
        element("header", element("h1", title), _contents(shown)),
        element("main", *shown),
        # "<" would end the script where a name holds "</script>".
        element(
            "script",
            json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
            type="application/json",
            id="data",
        ),
        element("script", "".join((HERE / name).read_text(encoding="utf-8") for name in SCRIPTS)),
    )
    return document(element("html", _head(title), body, lang="en"))


def _head(title: str) -> Element:
    return element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content="; ".join(ALONE)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("title", title),
        element("link", rel="icon", href="data:,"),  # Browsers ask a server for one otherwise.
        element("style", (HERE / STYLE).read_text(encoding="utf-8")),
    )


def _contents(parts: Sequence[Element]) -> Element:
    links = []
    for part in parts:
        heading = part.find("h2")
        assert heading is not None
        links.append(element("a", heading.text, href=f"#{part.get('id')}"))
    return element("nav", *links, aria_label="Contents")


def _made() -> dict[str, str]:
    versions = {name: version(name) for name in PACKAGES}
    when = datetime.now(UTC).strftime("%Y-%m-%d")
    return {"made on": when, "maml_rl": __version__, "Python": platform.python_version(), **versions}
