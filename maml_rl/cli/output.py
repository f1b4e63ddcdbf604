"""Printing that never costs a result: where a terminal lacks letters, is full, or has gone away."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class OutputLostError(Exception):
    """Standard output did not take all that was printed. Whatever files were written are whole."""


class LossyStream:
    """Writes to a text stream, escapes the letters that it lacks, and drops what it cannot take.

    A pipe that nobody reads still raises `BrokenPipeError`: then nobody wants the rest.

    Args:
        stream: a file's; all else that can be done with it is passed on.
    """

    def __init__(self, stream: io.TextIOWrapper):
        stream.reconfigure(errors="backslashreplace")
        self._stream = stream
        self.error: OSError | None = None
        """Why something was dropped."""

    def write(self, text: str) -> int:
        """Write ``text``, or drop it."""
        with self._dropping():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Write what is left, or drop it."""
        with self._dropping():
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            raise
        except OSError as error:
            self.error = error
            discard(self._stream)  # What is in its buffer would fail again, with a traceback at exit.


def discard(stream: Any) -> None:
    """Have all that is written to ``stream`` from now on go nowhere."""
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


@contextmanager
def lossy_output() -> Iterator[None]:
    """Have printing in the block never fail.

    Raises:
        OutputLostError: at the end of the block, if something of standard output was dropped.
    """
    before = sys.stdout, sys.stderr
    out, err = map(_lossy, before)
    sys.stdout, sys.stderr = out, err
    try:
        yield
    finally:
        for stream in (out, err):
            stream.flush()
        sys.stdout, sys.stderr = before
    if isinstance(out, LossyStream) and out.error is not None:
        raise OutputLostError(f"what was printed could not be written: {out.error.strerror}")


def _lossy(stream: Any) -> Any:
    if stream is None:  # As Python has it where the file was closed from the start.
        return Path(os.devnull).open("w")
    return LossyStream(stream) if isinstance(stream, io.TextIOWrapper) else stream
