"""The examples run as they are."""

import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Jupyter's own.
def test_the_quickstart_notebook_takes_less_than_three_minutes():
    notebook = nbformat.read(EXAMPLES / "quickstart.ipynb", as_version=4)
    started = time.monotonic()
    where = {"metadata": {"path": str(EXAMPLES)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    assert time.monotonic() - started < 180
    printed = "".join(o.get("text", "") for cell in notebook.cells for o in cell.get("outputs", []))
    last = printed.split("meta-update 25: ")[1].split()
    assert float(last[2]) > float(last[0]) + 10  # After adaptation, and before.
    pictures = [
        o for cell in notebook.cells for o in cell.get("outputs", []) if "image/png" in o.get("data", {})
    ]
    assert len(pictures) == 2
