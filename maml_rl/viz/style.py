"""One look for all pictures. Figures are drawn without a display."""

from pathlib import Path

from matplotlib.figure import Figure

from maml_rl._system.files import write_atomically

COLORS = ("#4c72b0", "#dd8452", "#55a868", "#c44e52", "#8172b3", "#937860")
MUTED = "#b8b8b8"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size in inches."""
    return Figure(figsize=(width, height), layout="constrained", dpi=150)


def save_figure(figure: Figure, path: Path) -> None:
    """Write the figure in the format that the file's ending names (PNG, SVG or PDF)."""
    kind = path.suffix[1:] or "png"
    write_atomically(path, lambda file: figure.savefig(file, format=kind))
