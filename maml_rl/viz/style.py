"""One look for all pictures. Figures are drawn without a display."""

import functools
import logging
import warnings
from pathlib import Path
from typing import Any

from matplotlib import font_manager
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.text import Text

from maml_rl._system.files import write_atomically

COLORS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")
MARKERS = ("o", "s", "^", "D")
MUTED = "#b8b8b8"
LATIN = "DejaVu Sans"
"""Matplotlib's own font."""
CHINESE = (
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC", "WenQuanYi Zen Hei"),
    *("WenQuanYi Micro Hei", "Microsoft YaHei", "SimHei", "PingFang SC", "Hiragino Sans GB"),
)
"""Fonts of Linux, Windows and macOS for letters that the first one lacks."""

logger = logging.getLogger(__name__)


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches."""
    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def look(number: int) -> tuple[str, str]:
    """Return the colour and the marker that tell one of many from the others."""
    return COLORS[number % len(COLORS)], MARKERS[number // len(COLORS) % len(MARKERS)]


def look_of_line(number: int) -> dict[str, Any]:
    """Return the same for a line without points: markers, here and there, where colours come again."""
    color, marker = look(number)
    sparse = {"marker": marker, "markevery": 0.1, "markersize": 4} if number >= len(COLORS) else {}
    return {"color": color, **sparse}


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure in the format that the file's ending names (PNG, SVG or PDF)."""
    kind = path.suffix[1:] or "png"
    set_fonts(figure)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        write_atomically(path, lambda file: figure.savefig(file, format=kind))
    others = [warning for warning in caught if "missing from font" not in str(warning.message)]
    if len(others) < len(caught):
        logger.warning("'%s' lacks letters that no font here has; install Noto Sans CJK", path)
    for warning in others:
        warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def set_fonts(artist: Artist) -> None:
    """Have all texts in fonts that have their letters, as far as there are any."""
    for text in artist.findobj(Text):
        text.set_fontfamily(_families())


@functools.cache
def _families() -> list[str]:
    """Return the fonts that are installed; each letter is drawn in the first that has it."""
    installed = set(font_manager.get_font_names())
    return [LATIN, *(name for name in CHINESE if name in installed)]
