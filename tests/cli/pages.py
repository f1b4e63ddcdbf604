"""The code blocks of the pages."""

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PAGES = tuple(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
    if not path.name.endswith(".zh.md")
)
PROGRAMS = (
    *("maml-rl", "make", "python", "pytest"),
    *(
        "pip",
        "docker",
        "ray",
        "sbatch",
        "source",
        "for",
        "PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu",
    ),
)
"""What a shell block begins with."""
SHOWN = {
    ("docs/architecture.md", "state = run.init()"): "the loop in outline",
    ("docs/sweeps.md", "runs/2d-navigation-sweep/"): "a folder's tree",
}
"""Blocks without a language that are no commands: page and first line, and what they are."""


class Block(NamedTuple):
    """A code block of a page."""

    page: str
    line: int
    language: str
    """As the page marks it; "shell" or "shown" where it does not, "file" where it takes one in."""
    code: str

    @property
    def first_line(self) -> str:
        return self.code.partition("\n")[0]


def blocks(page: str) -> list[Block]:
    """Return the page's blocks in their order.

    Raises:
        ValueError: a block without a language begins with no known program, and is not said to be none.
    """
    text = (ROOT / page).read_text(encoding="utf-8")
    return [
        Block(page, text.count("\n", 0, found.start()) + 2, _language(page, *found.groups()), found[2])
        for found in BLOCK.finditer(text)
    ]


def _language(page: str, marked: str, code: str) -> str:
    return "file" if code.startswith("--8<--") else marked or _kind(page, code)


def _kind(page: str, code: str) -> str:
    first = code.partition("\n")[0]
    if first.removeprefix("$ ").split()[0] in PROGRAMS:
        return "shell"
    if (page.replace(".zh.md", ".md"), first) in SHOWN:
        return "shown"
    raise ValueError(f"{page}: a block begins with {first!r}: name its program or what it is in {__name__}")


def script(block: Block) -> str:
    """Return the commands of a shell block, without what one of them is shown to print."""
    if not block.code.startswith("$ "):
        return block.code
    command = re.compile(r"^\$ ((?:.*\\\n)*.*)$", re.MULTILINE)
    return "\n".join(command.findall(block.code)) + "\n"


def without_comments(code: str) -> str:
    """Return the code as it is compared between languages."""
    return "\n".join(re.sub(r"(^|\s+)#.*", "", line).rstrip() for line in code.splitlines())
