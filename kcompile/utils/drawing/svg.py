"""A picture as SVG text. The widths of texts are those of Helvetica, and every text is told its width, so that any font fits."""

from __future__ import annotations

from html import escape

from .diagram import Diagram
from .picture import Line, Picture, Rectangle, Text, draw

# widths of the characters from the space to the tilde, in thousandths of the font's size (Adobe's metrics of Helvetica)
_WIDTHS = (
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278,
    278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722,
    667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556,
    556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
)
_BOLD = 1.07  # bold letters are wider by about this


def measure(text: str, size: float, bold: bool) -> float:
    """The width of text in points."""
    width = sum(_WIDTHS[ord(letter) - 32] if 32 <= ord(letter) < 127 else 1000 if ord(letter) > 0x2E7F else 600 for letter in text)
    return width / 1000 * size * (_BOLD if bold else 1.0)


def to_svg(diagram: Diagram, rankdir: str, straight: bool) -> str:
    """The text of an SVG file, 1 point a unit."""
    picture = draw(diagram, measure, rankdir, straight)
    lines = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{picture.width:.0f}pt" height="{picture.height:.0f}pt" '
             f'viewBox="0 0 {_number(picture.width)} {_number(picture.height)}" font-family="Helvetica, Arial, sans-serif">',
             f"<title>{escape(diagram.root.title)}</title>",
             '<rect width="100%" height="100%" fill="white"/>']
    lines += _parts(picture)
    return "\n".join([*lines, "</svg>", ""])


def _parts(picture: Picture) -> list[str]:
    return [_rectangle(part) if isinstance(part, Rectangle) else _text(part) if isinstance(part, Text) else _arrow(part)
            for part in picture.parts]


def _rectangle(part: Rectangle) -> str:
    x, y, width, height = part.rect
    dashes = ' stroke-dasharray="5 3"' if part.dashed else ""
    return (f'<rect x="{_number(x)}" y="{_number(y)}" width="{_number(width)}" height="{_number(height)}" '
            f'fill="{part.fill or "none"}" stroke="black"{dashes}/>')


def _text(part: Text) -> str:
    weight = ' font-weight="bold"' if part.bold else ""
    return (f'<text x="{_number(part.x)}" y="{_number(part.y)}" font-size="{part.size:g}"{weight} fill="{part.color}" '
            f'textLength="{_number(part.width)}" lengthAdjust="spacingAndGlyphs" xml:space="preserve">{escape(part.text)}</text>')


def _arrow(part: Line) -> str:
    way = "M" + " L".join(f"{_number(x)} {_number(y)}" for x, y in part.points)
    head = " ".join(f"{_number(x)},{_number(y)}" for x, y in part.head)
    return f'<path d="{way}" fill="none" stroke="black" stroke-width="2"/><polygon points="{head}"/>'


def _number(value: float) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".")
