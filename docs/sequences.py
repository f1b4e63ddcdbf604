"""Sequence diagrams, drawn when the pages are built: from Mermaid's notation to SVG."""

import html
import re
from collections.abc import Iterator
from typing import NamedTuple

FENCE = re.compile(r"^```mermaid\nsequenceDiagram\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PARTICIPANT = re.compile(r"participant (\w+) as (.+)")
MESSAGE = re.compile(r"(\w+)(--?)>>(\w+): (.+)")
COLUMN, ROW, HEAD, MARGIN = 190, 34, 56, 12
"""Widths and heights, in the picture's units: of text 13 high."""
TURN = 26
"""Width of the turn that a message to oneself makes."""


class Message(NamedTuple):
    """An arrow between two columns; dashed for answers."""

    source: int
    target: int
    text: str
    dashed: bool


class Loop(NamedTuple):
    """A frame around rows, from ``first`` to ``last``."""

    text: str
    first: int
    last: int


def draw_sequences(markdown: str) -> str:
    """Replace the sequence diagrams of a page by pictures.

    Raises:
        ValueError: a line of one is not understood.
    """
    return FENCE.sub(lambda fence: _svg(*_parsed(fence[1])), markdown)


def _parsed(source: str) -> tuple[list[list[str]], list[Message | Loop]]:
    """Return the participants' names, a list of lines each, and what happens."""
    columns: dict[str, int] = {}
    names: list[list[str]] = []
    events: list[Message | Loop] = []
    loops: list[tuple[str, int]] = []
    row = 0
    for line in filter(None, map(str.strip, source.splitlines())):
        if found := PARTICIPANT.fullmatch(line):
            columns[found[1]] = len(columns)
            names.append(found[2].split("<br/>"))
        elif found := MESSAGE.fullmatch(line):
            events.append(Message(columns[found[1]], columns[found[3]], found[4], found[2] == "--"))
            row += 1
        elif line.startswith("loop "):
            loops.append((line.removeprefix("loop "), row))
            row += 1
        elif line == "end":
            text, first = loops.pop()
            events.append(Loop(text, first, row))
        else:
            raise ValueError(
                f"sequence diagram: expected a participant, a message, loop or end, got {line!r}"
            )
    return names, events


def _svg(names: list[list[str]], events: list[Message | Loop]) -> str:
    rows = sum(isinstance(event, Message) for event in events) + sum(isinstance(e, Loop) for e in events)
    width, height = COLUMN * len(names) + 2 * MARGIN, HEAD + ROW * (rows + 1)
    parts = [*_heads(names, height), *_events(events, len(names))]
    return (
        f'<div class="sequence"><svg viewBox="0 0 {width} {height}" width="{width}" role="img" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg></div>'
    )


def _heads(names: list[list[str]], height: float) -> Iterator[str]:
    for column, lines in enumerate(names):
        x = _x(column)
        yield f'<line class="life" x1="{x}" y1="{HEAD - 8}" x2="{x}" y2="{height - MARGIN}"/>'
        box = f'x="{x - COLUMN / 2 + 6}" y="4" width="{COLUMN - 12}" height="{HEAD - 12}"'
        yield f'<rect class="head" {box} rx="4"/>'
        for number, text in enumerate(lines):
            y = HEAD / 2 + 3 + 16 * (number - (len(lines) - 1) / 2)
            yield f'<text x="{x}" y="{y}" text-anchor="middle">{html.escape(text)}</text>'


def _events(events: list[Message | Loop], columns: int) -> Iterator[str]:
    row = 0
    started = {event.first: event for event in events if isinstance(event, Loop)}
    for event in events:
        if row in started:
            yield from _frame(started[row], events)
            row += 1
        if isinstance(event, Message):
            yield from _arrow(event, HEAD + ROW * (row + 0.7), event.source == columns - 1)
            row += 1


def _frame(loop: Loop, events: list[Message | Loop]) -> Iterator[str]:
    ends = [x for event in events if isinstance(event, Message) for x in (event.source, event.target)]
    left, right = _x(min(ends)) - COLUMN / 2 + 4, _x(max(ends)) + COLUMN / 2 - 4
    top, bottom = HEAD + ROW * (loop.first + 0.15), HEAD + ROW * (loop.last + 0.15)
    yield f'<rect class="loop" x="{left}" y="{top}" width="{right - left}" height="{bottom - top}" rx="4"/>'
    yield f'<text class="loop" x="{left + 8}" y="{top + 17}">{html.escape(loop.text)}</text>'


def _arrow(message: Message, y: float, last: bool) -> Iterator[str]:
    """Draw a message at height ``y``; one to oneself lies on the left if its column is the last."""
    kind = "message answer" if message.dashed else "message"
    x, target, text = _x(message.source), _x(message.target), html.escape(message.text)
    if message.source == message.target:
        side, anchor = (-1, "end") if last else (1, "start")
        turn = side * TURN
        yield f'<path class="{kind}" d="M{x} {y - 14} h{turn} v14 h{-turn}"/>{_tip(x, y, -side)}'
        yield f'<text x="{x + turn + 6 * side}" y="{y - 3}" text-anchor="{anchor}">{text}</text>'
        return
    direction = 1 if target > x else -1
    yield f'<path class="{kind}" d="M{x} {y} H{target - 6 * direction}"/>{_tip(target, y, direction)}'
    yield f'<text x="{(x + target) / 2}" y="{y - 6}" text-anchor="middle">{text}</text>'


def _tip(x: float, y: float, direction: int) -> str:
    return f'<path class="tip" d="M{x} {y} l{-8 * direction} -4 v8 z"/>'


def _x(column: int) -> float:
    return MARGIN + COLUMN * (column + 0.5)
