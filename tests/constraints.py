"""Constraints for pip, one a line, that make up the two ends of ``make matrix``.

    python -m tests.constraints lowest torch==2.13.0

``lowest`` holds each package that pyproject.toml names at the lowest version that it allows; ``newest`` holds
none. Requirements that follow are held in both, in place of what pyproject.toml says.
"""

import re
import sys
import tomllib
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
FLOOR = re.compile(r"([\w-]+)(?:\[.*\])?[>=]=([\w.]+)")
"""Of a requirement such as ``gymnasium[mujoco]>=1.1`` or ``metaworld==3.1.1``: the name and the version."""


def constraints(end: str, project: dict[str, Any], pins: Sequence[str] = ()) -> list[str]:
    """Return the lines for ``end``, lowest or newest, of pyproject.toml's table ``project``."""
    versions: dict[str, str] = {}
    if end == "lowest":
        requirements = chain(project["dependencies"], *project["optional-dependencies"].values())
        versions = {match[1]: match[2] for match in map(FLOOR.fullmatch, requirements) if match}
    versions |= dict(pin.split("==") for pin in pins)
    return [f"{name}=={version}" for name, version in versions.items()]


if __name__ == "__main__":
    table = tomllib.loads(PYPROJECT.read_text())["project"]
    print("\n".join(constraints(sys.argv[1], table, sys.argv[2:])))
