"""What a picture's file begins with."""

from pathlib import Path

MAGIC = {".png": b"\x89PNG\r\n\x1a\n", ".svg": b"<?xml", ".pdf": b"%PDF-"}


def assert_picture(path: Path, at_least: int = 3000) -> None:
    content = path.read_bytes()
    assert content.startswith(MAGIC[path.suffix])
    assert len(content) > at_least
