"""The search box of the pages."""

from typing import Any

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("word", "page"),
    [
        ("虚线", "playground"),  # In the middle of sentences, and of no title.
        ("标准误", "glossary"),  # A term of the glossary, which stays whole.
    ],
)
def test_a_chinese_word_is_found_inside_of_a_sentence(browser: Any, address: str, word: str, page: str):
    tab = browser.new_page(viewport={"width": 1280, "height": 900})
    tab.goto(f"{address}/zh/", wait_until="networkidle")
    tab.click(".md-search__input")
    tab.keyboard.insert_text(word)
    tab.keyboard.press("End")  # The box listens to keys.
    tab.wait_for_selector(f".md-search-result__link[href*='zh/{page}/']", state="attached")
    marked = tab.eval_on_selector_all(
        ".md-search-result__item mark", "found => found.map(x => x.textContent)"
    )
    tab.close()
    assert word in {text.replace("\u200b", "") for text in marked}
