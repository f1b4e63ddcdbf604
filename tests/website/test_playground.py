"""The playground: its arithmetic against maml_rl's, and how it answers to mouse, finger and keyboard."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from docs.playground_data import TRAINED, playground_data
from maml_rl.config import load_config
from maml_rl.evaluation.adapting import sample_adaptation
from maml_rl.samplers.rollout import ActionNoise
from maml_rl.seeding import FIRST_EVALUATION, Purpose, seed_sequence
from maml_rl.stacked import stack_episodes
from maml_rl.training import Run, RunSettings
from tests.website.listener import Listener

pytestmark = pytest.mark.slow
SETTLED = ".playground[data-settled=true]"
GOAL = "[data-start=maml] .pg-goal"
STEP, BACK = "[data-way='1']", "[data-way='-1']"
ROUNDS = """([start, goal, noises]) => {
    const { data, gradient } = Playground;
    const bytes = Uint8Array.from(atob(data.starts[start]), (x) => x.charCodeAt(0));
    const theta = new Float32Array(bytes.buffer);
    const rounds = gradient.rounds(theta, goal, (round) => noises[round], data.settings.stepSize, data);
    return [...rounds].map(({ policy, returns }) => [[...policy.theta], returns]);
}"""


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    listener = Listener(page, address)
    page.goto(f"{address}/playground/")
    page.wait_for_selector(SETTLED)
    yield page
    page.close()
    assert not listener.problems


def reference(
    start: str, goal: list[float], seed: int
) -> tuple[list[list[list[float]]], list[NDArray[np.float32]], list[NDArray[np.float32]]]:
    """Return noise ``[round][walk][2 T]``, and each round's parameters and returns, of maml_rl itself."""
    data, episodes = playground_data(), 20
    config, _ = load_config(TRAINED / "config.json")
    theta = torch.from_numpy(np.frombuffer(base64.b64decode(data["starts"][start]), "<f4").copy())
    scales, horizon = data["settings"]["schedule"], data["settings"]["horizon"]
    noises, thetas, returns, params = [], [], [], theta[None]
    with Run(config, RunSettings(seed)) as run:
        adaptation = run.learner.adaptation
        rounds = sample_adaptation(run, theta, [{"goal": np.array(goal)}], scales)
        for number, (batches, scale) in enumerate(zip(rounds, (*scales, None), strict=True)):
            stream = seed_sequence(seed, Purpose.ACTIONS, iteration=FIRST_EVALUATION, step=number)
            draws = iter(ActionNoise(adaptation.policy, [stream], episodes))
            drawn = np.stack([next(draws)[0] for _ in range(horizon)], axis=1)
            noises.append(drawn.reshape(episodes, -1).tolist())
            thetas.append(params[0].numpy())
            returns.append(batches[0].rewards.sum(0).numpy())
            if scale is not None:
                params = adaptation.step(params, stack_episodes(batches), scale)
    return noises, thetas, returns


@pytest.mark.parametrize("start", ["maml", "pretrained", "random"])
@pytest.mark.parametrize(("goal", "seed"), [([0.3, 0.2], 3), ([-0.4, 0.1], 4)])
def test_it_adapts_and_walks_as_maml_rl_does(page: Any, start: str, goal: list[float], seed: int):
    noises, thetas, returns = reference(start, goal, seed)
    rounds = page.evaluate(ROUNDS, [start, goal, noises])
    assert len(rounds) == 4
    assert np.abs(thetas[3] - thetas[0]).max() > 0.01
    for (theta, found), expected_theta, expected in zip(rounds, thetas, returns, strict=True):
        np.testing.assert_allclose(theta, expected_theta, rtol=0, atol=1e-4)
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def walks(page: Any) -> list[str]:
    page.wait_for_selector(SETTLED)
    lines: list[str] = page.eval_on_selector_all(
        "[data-start=maml] .pg-walks:not(.pg-earlier) path", "found => found.map(x => x.getAttribute('d'))"
    )
    return lines


def mean_returns(page: Any) -> list[list[str]]:
    page.wait_for_selector(SETTLED)
    cells: list[list[str]] = page.eval_on_selector_all(
        ".pg-returns tbody tr",
        "rows => rows.map(row => [...row.querySelectorAll('td')].map(x => x.textContent).filter(x => x))",
    )
    return cells


def test_gradient_steps_are_taken_and_taken_back(page: Any):
    before = walks(page)
    assert len(before) == 20
    assert page.is_disabled(BACK)
    for step in (1, 2, 3):
        page.click(STEP)
        assert [len(row) for row in mean_returns(page)] == [step + 1] * 3
    assert page.is_disabled(STEP)
    first, *_, last = (float(cell.split(" ")[0].replace("−", "-")) for cell in mean_returns(page)[0])
    assert first < -30
    assert last > -10
    for _ in range(3):
        page.click(BACK)
    assert walks(page) == before


def test_sliders_change_walks_and_say_their_values(page: Any):
    before = walks(page)
    page.fill("[name=episodes]", "7")
    assert walks(page) == before[:7]
    page.fill("[name=seed]", "2")
    assert walks(page)[0] != before[0]
    page.click(STEP)
    usual = walks(page)
    page.fill("[name=stepSize]", "0.2")
    assert walks(page) != usual
    said = page.eval_on_selector_all(".pg-sliders output", "found => found.map(x => x.textContent)")
    assert said == ["0.2", "7", "2"]


def test_the_goal_is_moved_by_keyboard(page: Any):
    page.click(STEP)
    before = walks(page)
    page.focus(GOAL)
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Shift+ArrowUp")
    assert page.get_attribute(GOAL, "aria-valuetext") == "0.25, 0.36"
    assert walks(page) != before
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("document.querySelector('.pg-count').textContent.startsWith('2')")


def test_the_goal_is_dragged_in_any_picture(page: Any):
    box = page.locator("[data-start=random] .pg-goal").bounding_box()
    page.mouse.move(box["x"] + 22, box["y"] + 22)
    page.mouse.down()
    page.mouse.move(0, box["y"] + 22, steps=5)
    page.mouse.up()
    assert page.get_attribute(GOAL, "aria-valuetext") == "-0.60, 0.35"
    plane = page.locator("[data-start=maml] .pg-plane").bounding_box()
    page.mouse.click(plane["x"] + plane["width"] / 2, plane["y"] + plane["height"] / 2)
    assert page.get_attribute(GOAL, "aria-valuetext") == "0.00, 0.00"


def test_a_finger_drags_the_goal_and_scrolls_elsewhere(browser: Any, address: str):
    context = browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True)
    page = context.new_page()
    page.goto(f"{address}/zh/playground/")
    page.wait_for_selector(SETTLED)

    def swipe(x: float, y: float, down: float) -> float:
        session = context.new_cdp_session(page)
        for kind, far in (
            ("touchStart", 0),
            ("touchMove", down / 2),
            ("touchMove", down),
            ("touchEnd", None),
        ):
            points = [] if far is None else [{"x": x, "y": y + far}]
            session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
            page.wait_for_timeout(50)
        return float(page.evaluate("scrollY"))

    box = page.locator(GOAL).bounding_box()
    assert swipe(box["x"] + 22, box["y"] + 22, 60) == 0
    assert float(page.get_attribute(GOAL, "aria-valuetext").split(", ")[1]) < 0.3
    box = page.locator("[data-start=maml] .pg-plane").bounding_box()
    assert swipe(box["x"] + 40, box["y"] + box["height"] - 20, -200) > 50
    context.close()


def test_it_works_from_disk(browser: Any, site: Path):
    page = browser.new_page()
    listener = Listener(page, "file:")
    page.goto((site / "playground" / "index.html").as_uri())
    page.click(STEP)
    assert len(mean_returns(page)[0]) == 2
    page.close()
    assert not listener.problems
