"""A picture as pixels, drawn by Pillow."""

from __future__ import annotations

import functools
import math
import os
from typing import Any

from ..images import pillow
from .diagram import Diagram
from .picture import Line, Rectangle, Text, draw

_MOST_PIXELS, _LONGEST_SIDE = 60_000_000, 32_000
_SMOOTH = 2  # drawn that many times larger, so that slanted edges are smooth
_FORMATS = {"jpg": "jpeg", "tif": "tiff"}
_MEASURED = 100  # points: the size at which text is measured, so that widths do not depend on the resolution


@functools.lru_cache(maxsize=64)
def _font(size: float) -> Any:
    from PIL import ImageFont

    return ImageFont.load_default(size)


def _heavier(size: float) -> float:
    """How much wider bold strokes are, and the room after each letter grows, too."""
    return size / 22


def measure(text: str, size: float, bold: bool) -> float:
    """The width of text in points."""
    width = _font(_MEASURED).getlength(text) * size / _MEASURED
    return float(width) + (len(text) * _heavier(size) if bold else 0.0)


def write(diagram: Diagram, path: str | os.PathLike[str] | Any, file_format: str, rankdir: str, straight: bool, dpi: float) -> None:
    """Draw into a file, in a format that Pillow writes. Raises ImportError without Pillow, ValueError for another format."""
    image_module = pillow("drawing a model as pixels (an .svg file needs nothing)")
    image_module.init()
    name = _FORMATS.get(file_format, file_format).upper()
    if name not in image_module.SAVE:
        raise ValueError(f"a model cannot be drawn as {file_format!r}; the ending of `to_file` must be svg, dot, or an image format of "
                         "Pillow such as png, jpeg or pdf")
    image = to_image(diagram, rankdir, straight, dpi)
    image.save(path, format=name, **({"dpi": (dpi, dpi)} if name in ("PNG", "JPEG", "TIFF") else {}))


def to_image(diagram: Diagram, rankdir: str, straight: bool, dpi: float) -> Any:
    """A Pillow image with `dpi` pixels an inch; fewer where it would have more pixels than image viewers take."""
    image_module = pillow("drawing a model as pixels")
    from PIL import ImageDraw

    picture = draw(diagram, measure, rankdir, straight)
    scale = min(dpi / 72, _LONGEST_SIDE / max(picture.width, picture.height), math.sqrt(_MOST_PIXELS / (picture.width * picture.height)))
    size = (max(round(picture.width * scale), 1), max(round(picture.height * scale), 1))
    smooth = _SMOOTH if size[0] * size[1] * _SMOOTH**2 <= _MOST_PIXELS else 1
    image = image_module.new("RGB", (size[0] * smooth, size[1] * smooth), "white")
    pen = _Pen(ImageDraw.Draw(image), scale * smooth)
    for part in picture.parts:
        pen.draw(part)
    return image if smooth == 1 else image.resize(size, image_module.Resampling.BOX)


class _Pen:
    """Draws parts of a picture on an image with `scale` pixels a point."""

    def __init__(self, canvas: Any, scale: float) -> None:
        self.canvas, self.scale = canvas, scale
        self.thin, self.thick = max(round(scale), 1), max(round(2 * scale), 1)

    def draw(self, part: Rectangle | Text | Line) -> None:
        if isinstance(part, Rectangle):
            self._rectangle(part)
        elif isinstance(part, Text):
            self._text(part)
        else:
            points = [self._at(x, y) for x, y in part.points]
            self.canvas.line(points, fill="black", width=self.thick, joint="curve")
            self.canvas.polygon([self._at(x, y) for x, y in part.head], fill="black")

    def _at(self, x: float, y: float) -> tuple[float, float]:
        return x * self.scale, y * self.scale

    def _rectangle(self, part: Rectangle) -> None:
        x, y, width, height = part.rect
        left, top = self._at(x, y)
        right, bottom = self._at(x + width, y + height)
        half = self.thin / 2
        if not part.dashed:
            self.canvas.rectangle((left - half, top - half, right + half, bottom + half), fill=part.fill, outline="black", width=self.thin)
            return
        dash, gap = 5 * self.scale, 3 * self.scale
        for start, end, fixed, across in ((left, right, top, True), (left, right, bottom, True), (top, bottom, left, False),
                                          (top, bottom, right, False)):
            at = start
            while at < end:
                to = min(at + dash, end)
                self.canvas.line([(at, fixed), (to, fixed)] if across else [(fixed, at), (fixed, to)], fill="black", width=self.thin)
                at += dash + gap

    def _text(self, part: Text) -> None:
        """Bold is the plain font, of which Pillow's own comes in one weight, drawn again a little to the right: a stroke around each letter
        would fill the gap below the dot of an i."""
        font, (x, y) = _font(part.size * self.scale), self._at(part.x, part.y)
        if not part.bold:
            self.canvas.text((x, y), part.text, fill=part.color, font=font, anchor="ls")
            return
        heavier = _heavier(part.size) * self.scale
        for n, letter in enumerate(part.text):
            left = x + font.getlength(part.text[:n]) + n * heavier
            for moved in (0, heavier / 2, heavier):
                self.canvas.text((left + moved, y), letter, fill=part.color, font=font, anchor="ls")
