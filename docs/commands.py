"""What the commands say of themselves: as they print it, and in Chinese."""

import io
import os
import re
from collections.abc import Iterator
from contextlib import redirect_stdout, suppress
from unittest.mock import patch

from docs.tables import table
from docs.translations import translator
from maml_rl.cli import main

PRINTED, WIDE = 80, 129
"""Widths in characters: of what a page shows, and the largest at which tyro has its boxes in one column."""
HEAD = ("选项", "默认值", "含义")
KEYS = "\n hyperparameters options"
"""The box of the config's keys, which is the last one."""
# What tyro prints is read here, for it has no function to stay that lists a parser's options: get_parser is
# deprecated, and scripts for completion leave positional arguments out. Whatever is misread has no Chinese,
# and the build ends.
OPTION = re.compile(r"^  (\S+(?: \S+)*)(?: *$|  +)(\S?.*(?:\n {6,}\S.*)*)", re.MULTILINE)
"""An option with its metavar, two blanks from the border, and what it is, on that line or indented below."""
HINT = re.compile(r"(.*?)(?: \((?:default: ?(.*)|(required)|repeatable)\))?")
"""A sentence, and what is said of the default behind it."""
HELP, OPTIONAL = "-h, --help", "{None}|"
UNSET = (None, "", "None", "False")
OF_THE_MACHINE = {"--num-workers": "处理器数"}
"""Defaults that are not the same everywhere."""


def help_text(command: str, width: int = PRINTED) -> str:
    """Return what ``maml-rl COMMAND --help`` prints on a terminal of this width."""
    printed = io.StringIO()
    with patch.dict(os.environ, COLUMNS=str(width)), redirect_stdout(printed), suppress(SystemExit):
        main([command, "--help"])
    return printed.getvalue()


def help_in_chinese(command: str) -> str:
    """Return a command's sentences, its usage, and a table of its own options, without the config's keys.

    Raises:
        UsageError: a text of the command has no Chinese.
    """
    translated = translator("zh")
    own, _, _ = help_text(command, WIDE).replace(OPTIONAL, "").partition(KEYS)
    said, _, boxes = own.partition("\n ")
    usage, *paragraphs = filter(None, said.split("\n\n"))
    sentences = "\n\n".join(map(translated, paragraphs))
    rows = [(option, default, translated(text)) for option, default, text in _options(boxes)]
    return f"{sentences}\n\n```text\n{usage.removeprefix('usage: ')}\n```\n\n{table(HEAD, rows)}"


def _options(boxes: str) -> Iterator[tuple[str, str, str]]:
    """Yield the options: each with its metavar, its default, and what it is."""
    for option, lines in OPTION.findall(boxes):
        if option == HELP:
            continue
        found = HINT.fullmatch(" ".join(lines.split()))
        assert found
        text, default, required = found.groups()
        shown = "必填" if required else OF_THE_MACHINE.get(option.split()[0]) or _shown(default)
        yield f"`{option.replace(',', ', ')}`", shown, text  # So that the choices fit on a phone's screen.


def _shown(default: str | None) -> str:
    return "–" if default in UNSET else f"`{default}`"
