"""The parts of a picture, in points: rectangles, texts, lines with and without arrowheads. SVG and pixels are made of these."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from .arrangement import Arrangement, Rect, arrange
from .diagram import LINE, PADDING, TITLE_SIZE, Box, Cell, Diagram, Group, Measure
from .tracks import Point

MARGIN = 6.0
_ARROW_LENGTH, _ARROW_HALF = 9.0, 4.0


@dataclass(frozen=True)
class Rectangle:
    """A filled, framed rectangle."""

    rect: Rect
    fill: str | None
    dashed: bool = False


@dataclass(frozen=True)
class Text:
    """Text by its left end and its baseline, and the width it must not exceed."""

    x: float
    y: float
    text: str
    size: float
    bold: bool
    color: str
    width: float


@dataclass(frozen=True)
class Line:
    """A way with an arrowhead at its end."""

    points: list[Point]
    head: list[Point]


@dataclass
class Picture:
    """Everything, the rearmost first."""

    width: float
    height: float
    parts: list[Rectangle | Text | Line] = field(default_factory=list)


def draw(diagram: Diagram, measure: Measure, rankdir: str, straight: bool) -> Picture:
    """The picture of a diagram; `measure` tells the width of text in the font it will be shown in."""
    arranged = arrange(diagram, measure, rankdir, straight)
    picture = Picture(arranged.width + 2 * MARGIN, arranged.height + 2 * MARGIN)
    picture.parts += _frames(diagram.root, arranged, measure)
    for route in arranged.routes:
        picture.parts.append(_line([(x + MARGIN, y + MARGIN) for x, y in route]))
    for box in diagram.root.boxes():
        picture.parts += _box(box, _moved(arranged.boxes[id(box)]), measure)
    return picture


def _moved(rect: Rect) -> Rect:
    return rect[0] + MARGIN, rect[1] + MARGIN, rect[2], rect[3]


def _frames(group: Group, arranged: Arrangement, measure: Measure) -> Iterator[Rectangle | Text]:
    for child in group.children:
        if not isinstance(child, Group):
            continue
        rect = _moved(arranged.groups[id(child)])
        yield Rectangle(rect, None, dashed=True)
        yield Text(rect[0] + 8.0, rect[1] + 6.0 + TITLE_SIZE, child.title, TITLE_SIZE, False, "black",
                   measure(child.title, TITLE_SIZE, False))
        yield from _frames(child, arranged, measure)


def _box(box: Box, rect: Rect, measure: Measure) -> Iterator[Rectangle | Text]:
    left, top, width, _ = rect
    for row in box.rows:
        wide = [cell.width(measure) for cell in row]
        spare = (width - sum(wide)) / len(row)
        x = left
        for cell, own in zip(row, wide, strict=True):
            yield Rectangle((x, top, own + spare, cell.height), cell.fill)
            yield from _cell_text(cell, x + (spare + 2 * PADDING) / 2, top, measure)
            x += own + spare
        top += row[0].height


def _cell_text(cell: Cell, x: float, top: float, measure: Measure) -> Iterator[Text]:
    baseline = top + PADDING + cell.size * (LINE + 0.72) / 2  # capitals are 0.72 of a font's size
    for text, bold in ((cell.text, False), (cell.bold, True)):
        if text:
            width = measure(text, cell.size, bold)
            yield Text(x, baseline, text, cell.size, bold, cell.color, width)
            x += width


def _line(points: list[Point]) -> Line:
    """The way, cut where its arrowhead begins, and the head."""
    (ax, ay), (bx, by) = points[-2], points[-1]
    length = math.hypot(bx - ax, by - ay) or 1.0
    ux, uy = (bx - ax) / length, (by - ay) / length
    root = (bx - ux * _ARROW_LENGTH, by - uy * _ARROW_LENGTH)
    head = [(bx, by), (root[0] - uy * _ARROW_HALF, root[1] + ux * _ARROW_HALF), (root[0] + uy * _ARROW_HALF, root[1] - ux * _ARROW_HALF)]
    return Line([*points[:-1], root], head)
