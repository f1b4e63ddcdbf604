"""Errors of the command line's parser in one line: tyro draws a box of several."""

import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

from maml_rl.config.methods import methods_with
from maml_rl.config.synonyms import SYNONYMS, key_elsewhere
from maml_rl.errors import UsageError

SIDE, RULES = "│", "─-╰╯ "
"""Characters of the box; where the terminal is not known to have them, it is drawn with blanks and dashes."""
BORDER, HELP_INDENT = 2, 8
"""Columns before the box's text, and within it before what explains an option named above."""

NUMBERS = (
    (r"(?:invalid literal for int\(\).*: '|no type matching .*\bINT\b.* from \['?)(.*?)'", "a whole number"),
    (r"(?:could not convert string to float: '|no type matching .*\bFLOAT\b.* from \['?)(.*?)'", "a number"),
)
"""What is said of words that are no numbers, and what was expected."""


@contextmanager
def parser_errors_in_one_line() -> Iterator[None]:
    """Turn tyro's exits into `UsageError`; those of ``--help`` go on."""
    printed = io.StringIO()
    try:
        with redirect_stderr(printed):
            yield
    except SystemExit as end:
        if not end.code:
            raise
        raise UsageError(first_section(printed.getvalue())) from None
    sys.stderr.write(printed.getvalue())


def first_section(box: str) -> str:
    """Return the first section of the box, and what it offers instead."""
    sections: list[list[str]] = [[]]
    for line in box.splitlines()[1:]:  # The first is the title.
        text = line.rstrip(SIDE + " ")[BORDER:]
        if not text.strip(RULES):
            sections.append([])
        elif not text.startswith(" " * HELP_INDENT):
            sections[-1].append(text.strip())
    said, *more = [" ".join(section) for section in sections if section] or [box.strip()]
    for option in re.findall(r"--[^\s,=]+", said) if said.startswith("Unrecognized") else ():
        name = option.removeprefix("--")
        if methods := methods_with(name.replace("-", "_")):
            return f"{option} is a key of other methods: {', '.join(methods)} (--metalearner)"
        if key := key_elsewhere(name.replace("_", "-"), SYNONYMS):
            return f"{option}: unknown option; the config calls it '{key}'"
    for form, wanted in NUMBERS:
        if said.startswith("Error parsing") and (found := re.search(form, said)):
            return f"{said.split()[2].rstrip(':')}: expected {wanted}, got '{found[1]}'"
    offers = [text[0].lower() + text[1:] for text in more if text.startswith(("Perhaps", "Available"))]
    return "; ".join([said.rstrip("."), *offers])
