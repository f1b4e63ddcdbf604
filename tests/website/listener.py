"""Complaints about a page in a browser."""

from typing import Any


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
