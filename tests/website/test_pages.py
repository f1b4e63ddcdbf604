"""The documentation in a browser: every page stands alone, fits the screen, and leads where it says."""

from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

from tests.website.listener import Listener

pytestmark = pytest.mark.slow
WRAPPED = """[...document.querySelectorAll('.md-typeset table:not([class])')]
    .every(table => table.closest('.md-typeset__scrollwrap'))"""
"""Whether the theme's script has put each table into what scrolls."""


def pages(site: Path) -> list[str]:
    """Paths of all pages but the error page, which is served at paths of others."""
    found = {path.relative_to(site).as_posix() for path in site.rglob("*.html")} - {"404.html", "zh/404.html"}
    return sorted(path.removesuffix("index.html") for path in found)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_stands_alone_and_fits_the_screen(
    site: Path, address: str, browser: Any, width: int, scheme: str
):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    listener = Listener(page, address)
    for path in pages(site):
        listener.where = path or "/"
        page.goto(f"{address}/{path}", wait_until="networkidle")
        page.wait_for_function(WRAPPED)
        wide = page.evaluate("document.documentElement.scrollWidth") - width
        if wide > 0:
            listener.note(f"{wide} px wider than the screen")
    context.close()
    assert not listener.problems, "\n".join(listener.problems[:20])


def test_wide_formulas_and_tables_scroll_by_themselves_and_show_it(address: str, browser: Any):
    page = browser.new_page(viewport={"width": 390, "height": 900})
    page.goto(f"{address}/maml-trpo/")
    wide = page.eval_on_selector_all(
        ".formula, .md-typeset__scrollwrap",
        """found => found.filter(x => x.scrollWidth > x.clientWidth).map(x => {
            x.scrollLeft = 20;
            const shadows = getComputedStyle(x).backgroundImage.match(/linear/g) ?? [];
            return [x.className, x.scrollLeft, shadows.length];
        })""",
    )
    page.close()
    assert {name for name, *_ in wide} == {"formula", "md-typeset__scrollwrap"}
    assert all(scrolled > 0 and shadows == 4 for _, scrolled, shadows in wide)


def test_every_link_and_anchor_is_there(site: Path, address: str, browser: Any):
    page = browser.new_page(java_script_enabled=False)
    anchors: dict[str, set[str]] = {}
    links: set[tuple[str, str]] = set()
    for path in pages(site):
        url = f"{address}/{path}"
        page.goto(url, wait_until="domcontentloaded")
        anchors[url] = set(page.eval_on_selector_all("[id]", "found => found.map(x => x.id)"))
        found = page.eval_on_selector_all("a[href]", "found => found.map(x => x.getAttribute('href'))")
        links |= {(url, urljoin(url, href)) for href in found}
    missing = []
    for url, link in sorted(links):
        if not link.startswith(address):
            continue
        target, anchor = urldefrag(link)
        file = site / unquote(urlsplit(target).path.lstrip("/"))
        if not (file / "index.html" if target.endswith("/") else file).exists():
            missing.append(f"{url}: no page {link}")
        elif anchor and target in anchors and unquote(anchor) not in anchors[target] | {"__top", "top"}:
            missing.append(f"{url}: no anchor {link}")
    assert not missing, "\n".join(missing[:20])
