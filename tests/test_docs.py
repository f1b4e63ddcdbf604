"""The documentation's pages, as they are written: the same names and the same terms everywhere."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

DOCS = Path("docs")
CHINESE = [*sorted(DOCS.glob("*.zh.md")), Path("README.zh.md"), DOCS / "texts.zh.yaml"]
ONE_TERM = {
    "回合": ("轨迹", "情节", "剧集", "分集"),
    "内循环": ("内层循环", "内部循环", "内环"),
    "标准误": ("标准误差", "标准错误"),
    "信赖域": ("信任域", "置信域", "信任区域"),
    "元批次": ("元批量", "元批处理"),
    "基线": ("基准线",),
    "检查点": ("断点", "存档点"),
    "学习器": ("学习者",),
    "half-cheetah": ("猎豹",),
    "ant": ("蚂蚁",),
}
"""By the term that the pages use: what else it could be called."""


def settings() -> dict[str, Any]:
    # Without the objects that its tags name.
    loader: Any = type("Loader", (yaml.SafeLoader,), {})
    loader.add_multi_constructor("tag:", lambda *_: None)
    read: dict[str, Any] = yaml.load(Path("mkdocs.yml").read_text(encoding="utf-8"), loader)
    return read


def entries(navigation: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """Yield the names and files of the sidebar."""
    for entry in navigation:
        for name, content in entry.items():
            yield from [(name, content)] if isinstance(content, str) else entries(content)


def title(page: Path) -> str:
    lines = page.read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("# ") for line in lines if line.startswith("# "))


def test_the_sidebar_calls_pages_by_their_titles():
    read = settings()
    i18n = next(plugin["i18n"] for plugin in read["plugins"] if "i18n" in plugin)
    _, chinese = i18n["languages"]
    named = dict(entries(read["nav"]))
    assert {file: title(DOCS / file) for file in named.values()} == {
        file: name for name, file in named.items()
    }
    translated = {file: chinese["nav_translations"].get(name, name) for name, file in named.items()}
    assert {file: title((DOCS / file).with_suffix(".zh.md")) for file in translated} == translated


def test_every_page_is_in_the_sidebar_and_in_both_languages():
    english = {path.name for path in DOCS.glob("*.md") if not path.name.endswith(".zh.md")}
    assert set(dict(entries(settings()["nav"])).values()) == english
    assert {path.name.replace(".zh.md", ".md") for path in DOCS.glob("*.zh.md")} == english


@pytest.mark.parametrize("page", CHINESE, ids=lambda path: path.name)
def test_chinese_pages_have_one_term_for_one_thing(page: Path):
    text = page.read_text(encoding="utf-8")
    used = {other: term for term, others in ONE_TERM.items() for other in others if other in text}
    assert not used


def test_what_is_to_be_installed_is_on_the_index():
    """The package itself is not: its extras are installed from a clone."""
    texts = [*Path("maml_rl").rglob("*.py"), *DOCS.glob("*.md"), *Path().glob("README*.md")]
    assert not [str(path) for path in texts if "maml-rl[" in path.read_text(encoding="utf-8")]
