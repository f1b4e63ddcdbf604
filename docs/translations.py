"""Sentences of the code in Chinese: descriptions of keys, columns, options and commands."""

from collections.abc import Callable
from pathlib import Path

from maml_rl._system.yaml_file import read_yaml
from maml_rl.errors import UsageError

TEXTS = Path(__file__).with_name("texts.zh.yaml")
"""The Chinese, by the English as the code has it."""


def translator(language: str) -> Callable[[str], str]:
    """Return what says a sentence of the code in a page's language.

    It raises `UsageError` for a sentence whose Chinese is missing: one that is new, or that has changed.
    """
    if language == "en":
        return str
    read = read_yaml(TEXTS, "texts")
    assert isinstance(read, dict)
    chinese: dict[str, str] = {_without_blanks(english): text for english, text in read.items()}

    def translated(english: str) -> str:
        if (text := chinese.get(_without_blanks(english))) is None:
            raise UsageError(
                f"docs/{TEXTS.name} has no Chinese for {english!r}: "
                "add it, in place of the older sentence if there was one"
            )
        return text

    return translated


def _without_blanks(english: str) -> str:
    """Return a sentence as it is looked up: what is printed breaks lines where the code does not."""
    return "".join(english.split())
