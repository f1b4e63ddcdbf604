"""What MkDocs fills in when it builds the pages: tables from the code, help texts, and formulas as MathML."""

import html
import re
from pathlib import Path
from typing import Any

import jieba
from latex2mathml.converter import convert
from mkdocs.exceptions import PluginError
from mkdocs.plugins import event_priority
from mkdocs.structure.files import Files

from docs.commands import help_in_chinese, help_text
from docs.curves import draw_curves
from docs.gallery import add_reports, gallery
from docs.notebooks import notebook
from docs.playground_data import playground_script
from docs.sequences import draw_sequences
from docs.tables import columns_tables, config_tables
from maml_rl.errors import UsageError

MARKER = re.compile(r"<!-- (config|columns|curves|gallery|help (\w+)|notebook (\S+)) -->")
FORMULA = re.compile(r'<(span|div) class="arithmatex">\\([\[(])(.*?)\\[\])]</\1>', re.DOTALL)
FILM = re.compile(r'<img alt=("[^"]*") src=("[^"]*\.mp4") */?>')
PLAYER = 'controls loop muted playsinline preload="metadata"'
ALTERNATE = re.compile(r'<link rel="alternate"[^>]*>')
BETWEEN_CJK = re.compile(r"(?<=[\u3000-\u9fff\uff00-\uffef])\n *(?=[\u3400-\u9fff])")
"""Ends of lines that browsers would show as a blank, which Chinese has none of."""
GLOSSARY = Path(__file__).with_name("glossary.zh.md")
TERM = re.compile(r"[\u3400-\u9fff]+")


def on_config(config: Any, **_: Any) -> None:
    """Have the search keep the Chinese words of the glossary whole."""
    jieba.setLogLevel("WARNING")
    for row in re.findall(r"^\| (.+?) \|", GLOSSARY.read_text(encoding="utf-8"), re.MULTILINE):
        for term in TERM.findall(row):
            jieba.add_word(term)


@event_priority(-200)  # Behind the plugin of languages, which takes files for such on the disk.
def on_files(files: Files, config: Any) -> None:
    """Add the reports of the policies that ship."""
    add_reports(files, config)


def on_page_markdown(markdown: str, page: Any, config: Any, files: Files) -> str:
    """Replace the markers of generated parts; draw diagrams; join the lines of Chinese paragraphs."""
    language = "zh" if page.file.src_uri.endswith(".zh.md") else "en"

    def fill(marker: re.Match[str]) -> str:
        if marker[1] == "config":
            return config_tables(language)
        if marker[1] == "columns":
            return columns_tables(language)
        if marker[1] == "curves":
            return draw_curves(language)
        if marker[1] == "gallery":
            return gallery(language, files)
        if marker[3]:
            return notebook(Path(marker[3]))
        return help_in_chinese(marker[2]) if language == "zh" else f"```text\n{help_text(marker[2])}```\n"

    try:
        filled = draw_sequences(MARKER.sub(fill, markdown))
    except UsageError as error:  # Which MkDocs would tell by a traceback.
        raise PluginError(str(error)) from None
    return BETWEEN_CJK.sub("", filled) if language == "zh" else filled


def on_page_content(content: str, **_: Any) -> str:
    """Turn LaTeX into MathML, which browsers show by themselves, and pictures that are films into such."""

    def translate(formula: re.Match[str]) -> str:
        display = "block" if formula[2] == "[" else "inline"
        # MathML leaves no space after functions, which would read as one word.
        latex = re.sub(r"\\(log|exp|max|min)\b", r"\\\1\\,", html.unescape(formula[3]))
        mathml = convert(latex, display=display)
        return f'<div class="formula">{mathml}</div>' if display == "block" else mathml

    return FILM.sub(rf"<video {PLAYER} aria-label=\1 src=\2></video>", FORMULA.sub(translate, content))


def on_post_page(output: str, **_: Any) -> str:
    """Take out what says where the page's other languages are, but for the menu of languages.

    The theme's script would ask each of them for a sitemap, which the site's root alone has.
    """
    return ALTERNATE.sub("", output)


def on_post_build(config: Any, **_: Any) -> None:
    """Write the policies of the playground among its scripts."""
    written = Path(config.site_dir, "javascripts", "playground", "policies.js")
    written.write_text(playground_script(), encoding="utf-8")
