import tomllib

import pytest

from tests.constraints import FLOOR, PYPROJECT, constraints

PROJECT = {
    "dependencies": ["gymnasium[mujoco]>=1.1", "torch>=2.5", "types-PyYAML"],
    "optional-dependencies": {"dev": ["pytest>=8.3"], "video": ["imageio>=2.31"]},
}


@pytest.mark.parametrize(
    ("end", "pins", "expected"),
    [
        ("lowest", [], ["gymnasium==1.1", "torch==2.5", "pytest==8.3", "imageio==2.31"]),
        (
            "lowest",
            ["torch==2.13.0"],
            ["gymnasium==1.1", "torch==2.13.0", "pytest==8.3", "imageio==2.31"],
        ),
        ("newest", [], []),
        ("newest", ["torch==2.13.0", "numpy==2.4.6"], ["torch==2.13.0", "numpy==2.4.6"]),
    ],
)
def test_the_ends_of_the_matrix(end: str, pins: list[str], expected: list[str]):
    assert constraints(end, PROJECT, pins) == expected


def test_every_requirement_has_a_floor():
    project = tomllib.loads(PYPROJECT.read_text())["project"]
    extras = project["optional-dependencies"]
    requirements = [*project["dependencies"], *(r for extra in extras.values() for r in extra)]
    assert [r for r in requirements if not FLOOR.fullmatch(r)] == ["types-PyYAML"]
