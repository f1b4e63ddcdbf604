"""The bits of a run are those of the version before. All cases by hand: ``python -m tests.same_bits REV``."""

import subprocess

import pytest

from tests.same_bits import ROOT, compare

pytestmark = pytest.mark.slow

BEFORE_TAGS = "ba77033"
"""The revision to compare with as long as no version is tagged: the last that moved bits, see CHANGELOG."""
CASES = ("tabular", "two-steps", "first-order", "resume")


def last_version() -> str:
    command = ["git", "describe", "--tags", "--abbrev=0"]
    tag = subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    return tag or BEFORE_TAGS


def test_runs_have_the_bits_of_the_last_version():
    known = subprocess.run(["git", "cat-file", "-e", last_version()], cwd=ROOT, capture_output=True)
    if known.returncode:
        pytest.skip(f"this copy has no history that reaches back to {last_version()}")
    assert not compare(last_version(), to=None, only=CASES, keep=None)
