"""Tables of what the code declares: the keys of configs, and the columns of metrics."""

import json
from collections.abc import Iterable, Sequence

from docs.translations import translator
from maml_rl.config import Block, Config
from maml_rl.config.block import kebab, one_line
from maml_rl.config.methods import METHODS

KEYS = {"en": ("key", "default", "what it is"), "zh": ("键", "默认值", "含义")}
COLUMNS = {"en": ("column", "unit", "what it is"), "zh": ("列", "单位", "含义")}


def config_tables(language: str) -> str:
    """Return a table of the keys that all methods share, and one for each method's own.

    Raises:
        UsageError: a text of the code has no Chinese.
    """
    translated = translator(language)

    def keys(block: type[Block]) -> str:
        rows = []
        for name, field in block.model_fields.items():
            default = "–" if field.is_required() else f"`{json.dumps(field.get_default())}`"
            rows.append((f"`{kebab(name)}`", default, _cell(translated(one_line(field.description)))))
        return table(KEYS[language], rows)

    tables = [keys(Config)]
    for name, method in METHODS.items():
        tables.append(f"\n### {name}\n\n{translated(method.sentence)}\n\n{keys(method.block)}")
    return "".join(tables)


def columns_tables(language: str) -> str:
    """Return a table of the columns that each method declares.

    Raises:
        UsageError: a text of the code has no Chinese.
    """
    translated = translator(language)
    tables = []
    for name, method in METHODS.items():
        rows = [
            (f"`{column}`", unit and translated(unit), _cell(translated(text)))
            for column, (unit, text) in method.load().columns.items()
        ]
        tables.append(f"### {name}\n\n{table(COLUMNS[language], rows)}\n")
    return "".join(tables)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
