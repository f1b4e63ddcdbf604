"""Paths of 2D navigation as drawings of HTML."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maml_rl.envs import Task
from maml_rl.episode import BatchEpisodes
from maml_rl.viz.navigation import PATHS_SHOWN, Paths, limit_of, path_of
from maml_rl.viz.report.elements import Element, element
from maml_rl.viz.style import COLORS

SIZE = 240
"""Width and height of a panel, in units of the drawing."""


def paths_panels(paths: Paths, label: str) -> Element:
    """Return a panel per goal, as `plot_paths` draws them, and what the colours mean.

    Args:
        label: whose paths they are.
    """
    tasks, rounds, names = paths
    limit = limit_of(tasks, rounds)
    panels = [_panel(task, [of[i] for of in rounds], limit, label) for i, task in enumerate(tasks)]
    keys = (element("span", _swatch(_color(step)), name, class_="key") for step, name in enumerate(names))
    goal = element("span", element("span", "★", class_="goal"), "goal", class_="key")
    return element("div", element("div", *panels, class_="panels"), element("p", *keys, goal, class_="keys"))


def _panel(task: Task, rounds: Sequence[BatchEpisodes], limit: float, label: str) -> Element:
    x, y = task["goal"]
    title = f"goal ({x:.2f}, {y:.2f})".replace("-", "−")
    walks = []
    for step, episodes in enumerate(rounds):
        for k in range(min(PATHS_SHOWN, episodes.batch_size)):
            points = " ".join(map(",".join, _placed(path_of(episodes, k), limit)))
            walks.append(element("polyline", points=points, class_="walk", stroke=_color(step)))
    ((goal_x, goal_y),) = _placed(np.array([task["goal"]]), limit)
    middle = f"{SIZE / 2:g}"
    drawing = element(
        "svg",
        element("line", class_="grid", x1="0", x2=str(SIZE), y1=middle, y2=middle),
        element("line", class_="grid", y1="0", y2=str(SIZE), x1=middle, x2=middle),
        *walks,
        element("circle", class_="start", cx=middle, cy=middle, r="4"),
        element("text", "★", class_="goal", x=goal_x, y=goal_y),
        viewBox=f"0 0 {SIZE} {SIZE}",
        role="img",
        aria_label=f"Paths of {label} to the {title}",
    )
    return element("figure", drawing, element("figcaption", title))


def _placed(points: NDArray[Any], limit: float) -> list[tuple[str, str]]:
    """Return where points ``[n, 2]`` are in a panel that reaches to ``limit``."""
    places = (1 + np.array([1, -1]) * points / limit) * SIZE / 2  # In drawings y goes down.
    return [(f"{x:.1f}", f"{y:.1f}") for x, y in places]


def _color(step: int) -> str:
    return COLORS[(step - 1) % len(COLORS)] if step else "var(--before)"


def _swatch(color: str) -> Element:
    return element("span", class_="swatch", style=f"background: {color}")
