"""What MkDocs fills in when it builds the pages: tables from the code, help texts, and formulas as MathML."""

import html
import io
import json
import re
from contextlib import redirect_stdout, suppress
from typing import Any

from latex2mathml.converter import convert

from maml_rl.cli import main
from maml_rl.config import Config

MARKER = re.compile(r"<!-- (config|help (\w+)) -->")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([\[(])(.*?)\\[\])]</\1>', re.DOTALL)
BETWEEN_CJK = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n *(?=[\u3400-\u9fff])")
"""Ends of lines that browsers would show as a blank, which Chinese has none of."""
COLUMNS = {"en": ("key", "default", "what it is"), "zh": ("键", "默认值", "含义")}


def on_page_markdown(markdown: str, page: Any, config: Any, **_: Any) -> str:
    """Replace the markers of generated parts; join the lines of Chinese paragraphs."""
    language = "zh" if page.file.src_uri.endswith(".zh.md") else "en"

    def fill(marker: re.Match[str]) -> str:
        if marker[1] == "config":
            return config_table(language)
        return f"```text\n{help_text(marker[2])}```\n"

    filled = MARKER.sub(fill, markdown)
    return BETWEEN_CJK.sub("", filled) if language == "zh" else filled


def on_page_content(content: str, **_: Any) -> str:
    """Turn LaTeX into MathML, which browsers show by themselves."""

    def translate(formula: re.Match[str]) -> str:
        display = "block" if formula[2] == "[" else "inline"
        # MathML leaves no space after functions, which would read as one word.
        latex = re.sub(r"\\(log|exp|max|min)\b", r"\\\1\\,", html.unescape(formula[3]))
        return convert(latex, display=display)

    return FORMULA.sub(translate, content)


def config_table(language: str) -> str:
    """Return one row per key of the config."""
    head = "| " + " | ".join(COLUMNS[language]) + " |\n| --- | --- | --- |\n"
    rows = []
    for name, field in Config.model_fields.items():
        default = "–" if field.is_required() else f"`{json.dumps(field.get_default())}`"
        description = (field.description or "").replace("|", "\\|")
        rows.append(f"| `{name.replace('_', '-')}` | {default} | {description} |\n")
    return head + "".join(rows)


def help_text(command: str) -> str:
    """Return what ``maml-rl COMMAND --help`` prints."""
    printed = io.StringIO()
    with redirect_stdout(printed), suppress(SystemExit):
        main([command, "--help"])
    return printed.getvalue()
