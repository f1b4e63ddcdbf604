"""The Chinese of what the code says of keys, columns and commands: all of it, and of nothing else."""

import ast
import dataclasses
import functools
import importlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from docs import translations
from docs.commands import help_in_chinese
from docs.tables import config_tables
from maml_rl.config import Block, Config
from maml_rl.config.block import one_line
from maml_rl.config.methods import METHODS
from maml_rl.errors import UsageError

PAGE = Path("docs/command-line.zh.md")
COMMANDS = re.findall(r"<!-- help (\w+) -->", PAGE.read_text(encoding="utf-8"))
RENAMED = {"settings": "set", "slurm_settings": "slurm-set"}
"""Fields of commands whose options have other names."""
POSITIONAL = ""
CHINESE = re.compile(r"[\u3400-\u9fff]")
SECTION = functools.cache(help_in_chinese)
CELLS = re.compile(r"^\| `(.+?)` \| (.+?) \| (.+) \|$", re.MULTILINE)


def texts() -> dict[str, str]:
    read: dict[str, str] = yaml.safe_load(translations.TEXTS.read_text(encoding="utf-8"))
    return read


def command_class(command: str) -> Any:
    return getattr(importlib.import_module(f"maml_rl.cli.{command}"), command.capitalize())


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def paragraphs(command: str) -> list[str]:
    return [in_one_line(part) for part in (command_class(command).__doc__ or "").split("\n\n")]


def options(command: str) -> dict[str, str]:
    """Return what the source says of each option, without asking the parser."""
    (kind,) = ast.parse(inspect.getsource(command_class(command))).body
    assert isinstance(kind, ast.ClassDef)
    said = {}
    for field, below in zip(kind.body, kind.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                positional = "Positional" in ast.unparse(field.annotation)
                said[POSITIONAL if positional else name] = in_one_line(text)
    assert len(said) == len(dataclasses.fields(command_class(command)))
    return {name: text for name, text in said.items() if name != "hyperparameters"}


def columns(file: Path) -> Iterator[str]:
    """Yield units and texts of the columns that a file declares, without importing what it imports."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        match node:
            case ast.Call(
                func=ast.Name(id="Column"), args=[ast.Constant(value=unit), ast.Constant(value=text)]
            ):
                yield from filter(None, (unit, text))


def said_by_the_code() -> Iterator[str]:
    blocks: list[type[Block]] = [Config, *(method.block for method in METHODS.values())]
    for block in blocks:
        yield from (one_line(field.description) for field in block.model_fields.values())
    for method in METHODS.values():
        yield method.sentence
    for file in Path("maml_rl/metalearners").glob("*.py"):
        yield from columns(file)
    for command in COMMANDS:
        yield from paragraphs(command)
        yield from options(command).values()


def test_every_text_of_the_code_has_its_chinese_and_no_other_is_there():
    assert set(texts()) == set(said_by_the_code())


def test_every_text_is_chinese():
    assert [english for english, text in texts().items() if not CHINESE.search(text)] == ["nats"]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_table_of_its_own_options(command: str):
    section = SECTION(command)
    shown = {
        option.split()[0] if option.startswith("--") else POSITIONAL: text
        for option, _, text in CELLS.findall(section)
    }
    assert shown == {
        f"--{RENAMED.get(name, name.replace('_', '-'))}" if name else POSITIONAL: texts()[text]
        for name, text in options(command).items()
    }
    sentences = "\n\n".join(texts()[paragraph] for paragraph in paragraphs(command))
    assert section.startswith(f"{sentences}\n\n```text\nmaml-rl {command} [-h] ")


def test_the_tables_say_what_an_option_takes_and_what_it_is_without_it():
    train, sweep = ({o: d for o, d, _ in CELLS.findall(SECTION(c))} for c in ("train", "sweep"))
    assert train["--checkpoint-every INT"] == "`10`"
    assert train["--logger {tensorboard, wandb, none}"] == "`tensorboard`"
    assert train["--output-folder PATH"] == train["--quiet"] == "–"
    assert train["--num-workers INT"] == "处理器数"
    assert sweep["--seeds STR"] == "必填"
    assert sweep["--set STR"] == "–"


@pytest.mark.parametrize(
    ("english", "page"),
    [
        ("Discount factor per time step.", config_tables),
        ("Replace the file.", lambda _: help_in_chinese("report")),
    ],
)
def test_a_text_without_chinese_is_an_error_of_one_line(
    english: str, page: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    others = {key: text for key, text in texts().items() if key != english}
    monkeypatch.setattr(translations, "TEXTS", tmp_path / "texts.zh.yaml")
    translations.TEXTS.write_text(yaml.safe_dump(others, allow_unicode=True), encoding="utf-8")
    with pytest.raises(UsageError) as raised:
        page("zh")
    assert str(raised.value).startswith(f"docs/texts.zh.yaml has no Chinese for {english!r}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_description_of_two_lines_is_one_row_of_the_table(language: str):
    rows = [line for line in config_tables(language).splitlines() if line.endswith("|")]
    assert [row for row in rows if not row.startswith("|")] == []
