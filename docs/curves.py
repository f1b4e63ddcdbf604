"""The paper's curves beside ours, drawn from the committed results when the pages are built."""

import math
from collections.abc import Iterator, Sequence

from benchmarks.paper.methods import METHODS, TASKS
from benchmarks.paper.results import Curve, ours, published

WIDTH, HEIGHT = 240, 170
LEFT, RIGHT, TOP, BOTTOM = 40, 10, 10, 24
"""Room around the axes, in the picture's units: of text 11 high."""
STEPS = 3
WORDS = {
    "en": {
        "steps": "gradient steps",
        "published": "published (Finn et al. 2017)",
        "ours": "ours, a line for each training seed",
    }
    | {name: name for name in METHODS}
    | {name: task.title for name, task in TASKS.items()},
    "zh": {
        "steps": "梯度步数",
        "published": "论文发表的（Finn 等 2017）",
        "ours": "我们的，每个训练种子一条线",
        "pretrained": "预训练",
        "random": "随机",
        "oracle": "oracle",
        "navigation": "2D 导航",
        "cheetah-vel": "half-cheetah，速度",
        "cheetah-dir": "half-cheetah，方向",
        "ant-vel": "ant，速度",
        "ant-dir": "ant，方向",
    },
}
for _words in WORDS.values():
    _words["maml"] = "MAML"


def draw_curves(language: str) -> str:
    """Return a picture of each of the paper's tasks, and a legend."""
    words = WORDS[language]
    pictures = [f"<figure>{_svg(task)}<figcaption>{words[task]}</figcaption></figure>" for task in TASKS]
    legend = [f'<li class="curve-{method}">{words[method]}</li>' for method in METHODS]
    legend += [f'<li class="curve-{name}">{words[name]}</li>' for name in ("ours", "published")]
    return (
        f'<div class="curves">{"".join(pictures)}<div><ul>{"".join(legend)}</ul>'
        f"<p>0–{STEPS}: {words['steps']}</p></div></div>"
    )


def _svg(task: str) -> str:
    drawn = {method: (published(task, method), [*ours(task, method).values()]) for method in METHODS}
    curves = [curve for theirs, own in drawn.values() for curve in (theirs, *own)]
    low = min(mean - error for curve in curves for mean, error in zip(*curve, strict=True))
    high = max(mean + error for curve in curves for mean, error in zip(*curve, strict=True))
    axis = _Axis(low, high)
    parts = [*_grid(axis)]
    for method, (theirs, own) in drawn.items():
        kind = _flat if not METHODS[method].adapts else _rising
        parts.append(f'<g class="curve-{method}">{"".join(kind(axis, theirs, own))}</g>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{WORDS["en"][task]}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


class _Axis:
    """The axis of returns, with round ticks, some five.

    Args:
        low, high: what must fit.
    """

    def __init__(self, low: float, high: float):
        rough = (high - low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        self.tick = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        self.low, self.high = low, high

    def ticks(self) -> list[float]:
        """Return the ticks between the ends."""
        first, last = math.ceil(self.low / self.tick), math.floor(self.high / self.tick)
        return [self.tick * number for number in range(first, last + 1)]

    def y(self, value: float) -> float:
        """Return the height of a return."""
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low), 1)


def _x(step: int) -> float:
    return LEFT + 10 + (WIDTH - LEFT - RIGHT - 20) * step / STEPS


def _grid(axis: _Axis) -> Iterator[str]:
    for value in axis.ticks():
        y = axis.y(value)
        yield f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
        text = f"{value:g}".replace("-", "−")
        yield f'<text x="{LEFT - 5}" y="{y + 4}" text-anchor="end">{text}</text>'
    for step in range(STEPS + 1):
        yield f'<text x="{_x(step)}" y="{HEIGHT - 6}" text-anchor="middle">{step}</text>'


def _rising(axis: _Axis, theirs: Curve, own: Sequence[Curve]) -> Iterator[str]:
    """Draw returns that follow gradient steps: ours as lines, the published ones as circles with errors."""
    for curve in own:
        points = " ".join(f"{_x(step)},{axis.y(mean)}" for step, mean in enumerate(curve.means))
        yield f'<polyline points="{points}"/>'
    for step, (mean, error) in enumerate(zip(*theirs, strict=True)):
        x = _x(step)
        yield f'<line x1="{x}" x2="{x}" y1="{axis.y(mean - error)}" y2="{axis.y(mean + error)}"/>'
        yield f'<circle cx="{x}" cy="{axis.y(mean)}" r="3"/>'


def _flat(axis: _Axis, theirs: Curve, own: Sequence[Curve]) -> Iterator[str]:
    """Draw returns of a policy that takes no steps: ours as a line, the published one dotted."""
    for kind, curve in [("dotted", theirs), *(("", curve) for curve in own)]:
        y = axis.y(curve.means[0])
        yield f'<line class="{kind}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y}" y2="{y}"/>'
