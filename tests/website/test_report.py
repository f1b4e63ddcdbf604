"""A report in a browser, from the disk: it asks for nothing, fits the screen, and answers mouse and keyboard.

It needs Chromium, which the variable CHROMIUM may name, and the extra ``browser``; else it is skipped.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maml_rl.cli import main
from maml_rl.evaluation.results import AdaptationResults
from tests.viz.pages import drawn, value

pytestmark = pytest.mark.slow
GAINS = [3.0, -1.5, 20.0, 0.25, -12.0]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of two runs of 2D navigation, the first with a test of five tasks with known gains."""
    folder = tmp_path_factory.mktemp("report")
    sizes = ("--meta-batch-size", "3", "--fast-batch-size", "3", "--num-workers", "0", "--logger", "none")
    kwargs = (
        "--env-name",
        "2DNavigation-v0",
        "--env-kwargs",
        "{max_episode_steps: 12}",
        "--num-batches",
        "8",
    )
    for seed in ("1", "2"):
        run = ("--output-folder", str(folder / seed), "--seed", seed, "--quiet")
        main(["train", *kwargs, *sizes, *run])
    returns = np.zeros((2, 5, 2), np.float32)
    returns[1] = np.array(GAINS)[:, None]
    tasks = [{"goal": [0.1 * i, 0.2]} for i in range(5)]
    AdaptationResults(returns, tasks, (0.1,), 3).save(folder / "1" / "results.npz")
    main(
        [
            "report",
            str(folder / "1"),
            str(folder / "2"),
            "--output",
            str(folder / "r.html"),
            "--num-tasks",
            "4",
        ]
    )
    return folder / "r.html"


@pytest.fixture
def page(browser: Any, report: Path) -> Any:
    """The report, opened; whatever goes wrong or is asked for fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    problems: list[str] = []
    page.on("request", lambda request: problems.append(request.url))
    page.on("pageerror", lambda error: problems.append(str(error)))

    def told(message: Any) -> None:
        if message.type in ("error", "warning"):
            problems.append(message.text)

    page.on("console", told)
    page.goto(report.as_uri())
    yield page
    context.close()
    assert [what for what in problems if not what.startswith(("data:", report.as_uri()))] == []


def legend(page: Any, chart: str) -> list[list[str]]:
    rows = page.locator(f"#{chart} .legend tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_it_fits_the_screen_and_can_be_read(page: Any, width: int, scheme: str):
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for chart in ("learning", "adaptation"):  # They are drawn again when the screen's size changes.
        shown = f"document.querySelector('#{chart} svg')?.getBoundingClientRect().width"
        page.wait_for_function(f"{shown} > {0.8 * min(width, 1000)}")
    paper, ink = (
        sum(map(int, page.evaluate(f"getComputedStyle(document.body).{what}")[4:-1].split(",")))
        for what in ("backgroundColor", "color")
    )
    assert (paper > 600 and ink < 200) if scheme == "light" else (paper < 200 and ink > 600)


def test_hovering_shows_the_values_there(page: Any, report: Path):
    box = page.locator("#learning .plot").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 14, box["y"] + 100)
    last = legend(page, "learning")
    page.mouse.move(box["x"] + 60, box["y"] + 100)
    first = legend(page, "learning")
    assert (first[0][0], last[0][0]) == ("meta-updates: 1", "meta-updates: 8")
    for shown, index in ((first, 0), (last, -1)):
        lines = drawn(report)["charts"]["learning"]["quantities"][0]["lines"]
        cells = [value(cell.split()[0]) for row in shown[1:] for cell in row[1:]]
        assert cells == pytest.approx([line["y"][index] for line in lines], rel=1e-3)
    page.mouse.move(5, 5)
    assert legend(page, "learning")[0][0] == "last values"


def ticks(page: Any) -> list[str]:
    texts: list[str] = page.locator("#learning svg text[text-anchor=middle]").all_text_contents()
    return texts


def test_dragging_zooms_and_a_double_click_shows_the_whole(page: Any):
    whole = ticks(page)
    box = page.locator("#learning .plot").bounding_box()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 80)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.7 * box["width"], box["y"] + 90, steps=4)
    page.mouse.up()
    assert {"4", "5"} <= set(ticks(page))
    assert not {"1", "2", "7", "8"} & set(ticks(page))
    page.mouse.dblclick(box["x"] + 300, box["y"] + 80)
    assert ticks(page) == whole


def test_the_keyboard_does_what_the_mouse_does(page: Any):
    plot = page.locator("#learning .plot")
    for _ in range(40):  # It is reached by tabbing.
        page.keyboard.press("Tab")
        if plot.evaluate("element => element === document.activeElement"):
            break
    else:
        pytest.fail("the chart is not reached")
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    assert legend(page, "learning")[0][0] == "meta-updates: 3"
    said = page.locator("#learning [aria-live]").inner_text()
    assert said.startswith("meta-updates 3. maml-trpo, seed 1, before adaptation: ")
    page.keyboard.press("ArrowLeft")
    assert legend(page, "learning")[0][0] == "meta-updates: 2"
    whole = ticks(page)
    page.keyboard.press("+")
    page.keyboard.press("+")
    assert "7" not in ticks(page)
    page.keyboard.press("Shift+ArrowRight")
    assert "1" not in ticks(page)
    page.keyboard.press("0")
    assert ticks(page) == whole


def test_runs_can_be_hidden_and_quantities_chosen(page: Any):
    curves = page.locator("#learning polyline")
    assert curves.count() == 4
    button = page.locator("#learning .legend button").first
    button.focus()
    page.keyboard.press("Enter")
    assert curves.count() == 2
    focused = page.locator("#learning .legend button").first
    assert focused.get_attribute("aria-pressed") == "false"
    assert focused.evaluate("element => element === document.activeElement")
    page.keyboard.press("Enter")
    assert curves.count() == 4
    page.get_by_label("show").first.select_option(label="kl")
    assert curves.count() == 2
    assert page.locator("#learning .note").inner_text().startswith("kl, in nats: ")
    page.get_by_label("over").select_option(label="env steps")
    assert ticks(page)[-1] == "env steps"


def test_the_headings_of_tasks_sort_them(page: Any):
    def column(number: int) -> list[str]:
        texts: list[str] = page.locator(f"#tasks tbody tr > :nth-child({number})").all_inner_texts()
        return texts

    gain = page.locator("#tasks th button", has_text="gain")
    gain.click()
    ascending = [value(text) for text in column(6)]
    assert ascending == sorted(ascending)
    assert gain.locator("..").get_attribute("aria-sort") == "ascending"
    gain.focus()
    page.keyboard.press("Enter")
    assert [value(text) for text in column(6)] == ascending[::-1]
    assert {f"{gain:.2f}".replace("-", "−") for gain in GAINS} <= set(column(6))
    page.locator("#tasks th button", has_text="run").click()
    assert column(1) == ["maml-trpo, seed 1"] * 5 + ["maml-trpo, seed 2"] * 4


def test_numbers_stand_without_scripts(browser: Any, report: Path):
    page = browser.new_page(java_script_enabled=False)
    page.goto(report.as_uri())
    assert page.locator("#adaptation tbody tr").count() == 4
    assert "needs JavaScript" in page.locator("#learning").inner_text()
    assert page.locator("#pictures svg").count() == 8
    page.close()
