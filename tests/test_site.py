"""The documentation in a browser: every page stands alone, fits the screen, and leads where it says.

It needs Chromium, which the variable CHROMIUM may name, and the extra ``browser``; else it is skipped.
"""

import functools
import os
import shutil
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs the extra 'browser'")
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium"),
]
ALONE = ("--no-sandbox", "--no-first-run", "--disable-quic", "--disable-background-networking")
"""Options of Chromium, which otherwise asks its makers' hosts for news."""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None: ...


class Server(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """Pass over browsers that hang up."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    folder = tmp_path_factory.mktemp("site")
    build(load_config("mkdocs.yml", strict=True, site_dir=str(folder)))
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(site))
    with Server(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=ALONE)
        yield chromium
        chromium.close()


def pages(site: Path) -> list[str]:
    """Paths of all pages but the error page, which is served at paths of others."""
    found = [path.relative_to(site).parent.as_posix() for path in site.rglob("index.html")]
    return sorted("" if path == "." else f"{path}/" for path in found)


class Listener:
    """Notes what a page should not do."""

    def __init__(self, page: Any, address: str):
        self.problems: list[str] = []
        self.where = ""
        self._address = address
        page.on("request", self.requested)
        page.on("requestfailed", self.failed)
        page.on("response", self.responded)
        page.on("console", self.told)
        page.on("pageerror", lambda error: self.note(f"script error: {error}"))

    def told(self, message: Any) -> None:
        if message.type == "error":
            self.note(message.text)

    def note(self, what: str) -> None:
        self.problems.append(f"{self.where}: {what}")

    def requested(self, request: Any) -> None:
        if not request.url.startswith((self._address, "data:", "blob:")):
            self.note(f"asks for {request.url}")

    def failed(self, request: Any) -> None:
        if request.failure != "net::ERR_ABORTED":  # By the next page.
            self.note(f"does not get {request.url}")

    def responded(self, response: Any) -> None:
        if response.status >= 400:
            self.note(f"{response.status} for {response.url}")


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
        wide = page.evaluate("document.documentElement.scrollWidth") - width
        if wide > 0:
            listener.note(f"{wide} px wider than the screen")
    context.close()
    assert not listener.problems, "\n".join(listener.problems[:20])


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
