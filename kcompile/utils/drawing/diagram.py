"""What is drawn: boxes of text, groups of boxes, arrows between boxes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

Measure = Callable[[str, float, bool], float]  # (text, size in points, bold) -> width in points

HEAD_SIZE, CELL_SIZE, TITLE_SIZE = 16.0, 14.0, 14.0  # font sizes, in points
PADDING = 10.0  # between the text of a cell and its border
LINE = 1.2  # height of a line of text, in font sizes


@dataclass(frozen=True)
class Cell:
    """Text in a frame: a plain beginning and a bold rest."""

    text: str
    bold: str = ""
    fill: str = "white"
    color: str = "black"
    size: float = CELL_SIZE

    def width(self, measure: Measure) -> float:
        return measure(self.text, self.size, False) + measure(self.bold, self.size, True) + 2 * PADDING

    @property
    def height(self) -> float:
        return self.size * LINE + 2 * PADDING


@dataclass(eq=False)
class Box:
    """One node: rows of cells, the rows all of one width."""

    name: str
    rows: list[list[Cell]]

    def size(self, measure: Measure) -> tuple[float, float]:
        """(width, height) in points."""
        return (max(sum(cell.width(measure) for cell in row) for row in self.rows), sum(row[0].height for row in self.rows))


@dataclass(eq=False)
class Group:
    """Boxes and groups in a dashed frame with a title. The whole diagram is a group too, without a frame."""

    title: str
    children: list[Box | Group] = field(default_factory=list)

    def boxes(self) -> list[Box]:
        """Every box, those of inner groups included."""
        return [box for child in self.children for box in ([child] if isinstance(child, Box) else child.boxes())]


@dataclass(eq=False)
class Diagram:
    """A group and the arrows between its boxes."""

    root: Group
    arrows: list[tuple[Box, Box]] = field(default_factory=list)

    def connect(self, source: Box, target: Box) -> None:
        """An arrow, unless there is one already."""
        if not any(one is source and other is target for one, other in self.arrows):
            self.arrows.append((source, target))
