"""Elements of HTML, whose texts need no escaping by hand."""

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

Element = ElementTree.Element
Child = Element | str | None


def element(tag: str, *children: Child, **attributes: str | None) -> Element:
    """Return an element with its children, of which None is left out.

    Args:
        attributes: with underscores for dashes, and ``class_`` for ``class``; None is left out.
    """
    given = {name.rstrip("_").replace("_", "-"): text for name, text in attributes.items()}
    made = Element(tag, {name: text for name, text in given.items() if text is not None})
    last: Element | None = None
    for child in children:
        if isinstance(child, str):
            if last is None:
                made.text = (made.text or "") + child
            else:
                last.tail = (last.tail or "") + child
        elif child is not None:
            made.append(child)
            last = child
    return made


def document(root: Element) -> str:
    """Return the text of a whole page."""
    return f"<!DOCTYPE html>\n{ElementTree.tostring(root, encoding='unicode', method='html')}\n"


def table(label: str, head: Sequence[Child], rows: Iterable[Iterable[Child]], kind: str = "") -> Element:
    """Return a table that scrolls where it is wider or longer than its place.

    The first cell of each row is its heading.

    Args:
        label: what the table is, for those who cannot see it.
        rows: one at least, as long as the head.
        kind: classes of CSS.
    """
    body = [
        element("tr", element("th", first, scope="row"), *(cell_of(cell) for cell in others))
        for first, *others in rows
    ]
    # A heading stands where its numbers do.
    sides = [cell.get("class") if cell.get("class") == "number" else None for cell in body[0]]
    columns = zip(head, sides, strict=True)
    header = element("tr", *(element("th", cell, scope="col", class_=side) for cell, side in columns))
    made = element("table", element("thead", header), element("tbody", *body), class_=kind or None)
    # What scrolls has to be reached by keyboard.
    return element("div", made, class_="scroll", role="region", aria_label=label, tabindex="0")


def cell_of(content: Child) -> Element:
    """Return the cell of a table; an element that is a cell already stays as it is."""
    return content if isinstance(content, Element) and content.tag == "td" else element("td", content)


def number(value: int | float | None, text: str | None = None) -> Element:
    """Return the cell of a number, empty without one.

    Args:
        text: how it is shown; with two decimals if not given.
    """
    if value is None or value != value:  # NaN is no number's equal.
        return element("td", class_="number")
    shown = (f"{value:,.2f}" if text is None else text).replace("-", "−")
    return element("td", shown, class_="number", data_value=repr(float(value)))


def section(title: str, name: str, *children: Child) -> Element:
    """Return a titled part of the page that links lead to as ``#name``."""
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, *children, id=name, aria_labelledby=f"{name}-title")


def paragraph(text: str, kind: str | None = None) -> Element:
    """Return a paragraph."""
    return element("p", text, class_=kind)
