"""Videos: recordings side by side under their titles, and the files that they go to."""

from collections.abc import Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

import imageio.v3 as iio
import numpy as np
from matplotlib.text import Text

from maml_rl._system.files import write_atomically
from maml_rl.errors import UsageError
from maml_rl.viz.rendering import Frame, Recording, canvas_of, pixels

GAP = 8
"""White pixels between panels."""
FONT = 1 / 21
"""Height of the titles' letters over the width of a panel."""


def default_format() -> str:
    """Return ``".mp4"``, or ``".gif"`` where ffmpeg is missing."""
    return ".mp4" if _has_ffmpeg() else ".gif"


def check_format(path: Path) -> None:
    """Check that `write_video` can write a file of that name.

    Raises:
        UsageError: the ending is neither .mp4 nor .gif, or ffmpeg is missing.
    """
    if path.suffix not in (".mp4", ".gif"):
        raise UsageError(f"'{path}': expected a name that ends in .mp4 or .gif")
    if path.suffix == ".mp4" and not _has_ffmpeg():
        raise UsageError(f"'{path}' needs ffmpeg: 'pip install imageio-ffmpeg', or choose a .gif")


def side_by_side(recordings: Sequence[Recording], titles: Sequence[str], heading: str) -> Iterator[Frame]:
    """Yield the frames of ``recordings`` next to one another, under titles and returns so far.

    The longest sets the length; the others hold their last frame.

    Args:
        recordings: one per panel, of one size.
        titles: one per panel.
        heading: a line above all panels.

    Returns:
        Frames ``[height, width, 3]``, both even, as codecs want them.
    """
    height, width = recordings[0].frames[0].shape[:2]
    strip = _Titles(titles, heading, width)
    gap = np.full((height, GAP, 3), 255, np.uint8)
    for t in range(max(len(recording.frames) for recording in recordings)):
        row = [strip.draw(recordings, t)[:, GAP:]]
        panels = [recording.frames[min(t, len(recording.frames) - 1)] for recording in recordings]
        joined = np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1)
        frame = np.concatenate([*row, joined])
        yield np.pad(frame, ((0, height % 2), (0, joined.shape[1] % 2), (0, 0)), constant_values=255)


def write_video(frames: Iterable[Frame], path: Path, fps: float) -> None:
    """Write ``frames`` in the format that the file's ending names; a gif starts over without end.

    Args:
        frames: ``[height, width, 3]`` each, both even.
        path: an .mp4 or a .gif, see `check_format`.
        fps: frames per second. A gif's frames last a multiple of 10 ms.

    Raises:
        UsageError: ``path`` cannot be written.
    """
    imopen: Any = iio.imopen  # Its annotations do not know the options of plugins.

    def write(file: BinaryIO) -> None:
        if path.suffix == ".mp4":
            with imopen(file, "w", plugin="FFMPEG", extension=".mp4") as mp4:
                mp4.write(frames, is_batch=True, fps=fps, quality=5, macro_block_size=2)
            return
        with imopen(file, "w", plugin="pillow", extension=".gif") as gif:
            for frame in frames:
                gif.write(frame, duration=1000 / fps, loop=0)

    write_atomically(path, write)


class _Titles:
    """The strip above the panels: the heading, and two lines for each panel."""

    def __init__(self, titles: Sequence[str], heading: str, panel: int):
        font = FONT * panel
        step = panel + GAP
        width, height = step * len(titles), 2 * round(2.6 * font)
        self._canvas = canvas_of(width, height)
        figure = self._canvas.figure
        middle = 0.5 + GAP / 2 / width
        line = figure.text(middle, 0.97, heading, size=font, color="#555555", ha="center", va="top")
        _abridge(line, width - 2 * GAP)
        centres = [(GAP + step * i + panel / 2) / width for i in range(len(titles))]
        for x, title in zip(centres, titles, strict=True):
            figure.text(x, 0.62, title, size=font, weight="bold", ha="center", va="top")
        self._lines = [figure.text(x, 0.05, "", size=font, ha="center", va="bottom") for x in centres]

    def draw(self, recordings: Sequence[Recording], t: int) -> Frame:
        last_of_all = max(len(recording.frames) for recording in recordings) - 1
        for line, recording in zip(self._lines, recordings, strict=True):
            last = len(recording.frames) - 1
            ended = f", ended at step {last}" if t >= last < last_of_all else ""
            line.set_text(f"return {recording.returns[min(t, last)]:.2f}{ended}".replace("-", "−"))
        self._canvas.draw()
        return pixels(self._canvas)


def _abridge(line: Text, most: int) -> None:
    """Leave out the end of a text that is more than ``most`` pixels wide."""
    whole, kept = line.get_text(), len(line.get_text())
    while (width := line.get_window_extent().width) > most and kept:
        kept = min(int(kept * most / width), kept - 1)
        line.set_text(f"{whole[:kept].rstrip(' ,(')}…")


def _has_ffmpeg() -> bool:
    return find_spec("imageio_ffmpeg") is not None
