"""A diagram as DOT, the language of Graphviz."""

from __future__ import annotations

import os
from collections.abc import Iterator
from html import escape
from typing import Any

from . import raster, svg
from .diagram import Box, Cell, Diagram, Group

TEXT_FORMATS = ("dot", "raw", "gv")


class Dot:
    """A diagram of a model: DOT source text, and pictures drawn without Graphviz.

    The methods have the names that they have on pydot's graphs: `to_string()`, `write(path, format="png")`, `create(format="svg")`.
    """

    def __init__(self, diagram: Diagram, rankdir: str = "TB", dpi: float = 200, splines: str = "ortho", subgraph: bool = False) -> None:
        self.diagram, self.rankdir, self.dpi, self.splines, self.subgraph = diagram, rankdir, dpi, splines, subgraph

    @property
    def _straight(self) -> bool:
        return self.splines != "ortho"

    def to_string(self) -> str:
        """The DOT source."""
        return "\n".join(self._lines()) + "\n"

    __str__ = to_string

    def create(self, prog: Any = None, format: str = "svg", encoding: str | None = None) -> bytes:
        """The picture as the bytes of a file: SVG, DOT, or a format that Pillow writes. prog: Graphviz is not used."""
        import io

        if format == "svg":
            return self.to_svg().encode(encoding or "utf-8")
        if format in TEXT_FORMATS:
            return self.to_string().encode(encoding or "utf-8")
        file = io.BytesIO()
        raster.write(self.diagram, file, format, self.rankdir, self._straight, self.dpi)
        return file.getvalue()

    def create_svg(self, prog: Any = None) -> bytes:
        return self.create(format="svg")

    def create_png(self, prog: Any = None) -> bytes:
        return self.create(format="png")

    def write(self, path: str | os.PathLike[str], prog: Any = None, format: str = "raw", encoding: str | None = None) -> bool:
        """Write `create(format=format)` to a file; "raw" is DOT."""
        content = self.create(prog, format, encoding)
        with open(path, "wb") as file:
            file.write(content)
        return True

    def write_svg(self, path: str | os.PathLike[str], prog: Any = None) -> bool:
        return self.write(path, format="svg")

    def write_png(self, path: str | os.PathLike[str], prog: Any = None) -> bool:
        return self.write(path, format="png")

    def to_svg(self) -> str:
        """The picture as the text of an SVG file."""
        return svg.to_svg(self.diagram, self.rankdir, self._straight)

    def _repr_svg_(self) -> str:
        """What a notebook shows."""
        return self.to_svg()

    def _lines(self) -> Iterator[str]:
        numbers = {id(box): f"n{number}" for number, box in enumerate(self.diagram.root.boxes())}
        title = _quoted(self.diagram.root.title)
        if self.subgraph:
            yield f"subgraph {_quoted('cluster_' + self.diagram.root.title)} {{"
            yield from (f"  {line}" for line in ("style=dashed;", f"label={title};", "labeljust=l;"))
        else:
            yield f"digraph {title} {{"
            yield from (f"  {line}" for line in (f"rankdir={self.rankdir};", "concentrate=true;", f"dpi={self.dpi:g};",
                                                 f"splines={_quoted(self.splines)};"))
        yield '  node [shape=plain, fontname="Helvetica", margin=0];'
        yield from (f"  {line}" for line in _contents(self.diagram.root, numbers))
        yield from (f"  {numbers[id(source)]} -> {numbers[id(target)]} [penwidth=2];" for source, target in self.diagram.arrows)
        yield "}"


def _contents(group: Group, numbers: dict[int, str]) -> Iterator[str]:
    for child in group.children:
        if isinstance(child, Box):
            yield f"{numbers[id(child)]} [label={_table(child)}];"
            continue
        first = next(iter(child.boxes()), None)
        yield f"subgraph {_quoted(f'cluster_{child.title}_{numbers[id(first)] if first else 0}')} {{"
        yield from (f"  {line}" for line in ("style=dashed;", f"label={_quoted(child.title)};", "labeljust=l;"))
        yield from (f"  {line}" for line in _contents(child, numbers))
        yield "}"


def _table(box: Box) -> str:
    columns = max(len(row) for row in box.rows)
    rows = "".join("<tr>" + "".join(_cell(cell, columns - len(row) + 1) for cell in row) + "</tr>" for row in box.rows)
    return f'<<table border="0" cellborder="1" cellspacing="0" cellpadding="10">{rows}</table>>'


def _cell(cell: Cell, span: int) -> str:
    bold = f"<b>{escape(cell.bold)}</b>" if cell.bold else ""
    return (f'<td colspan="{span}" bgcolor="{cell.fill}"><font point-size="{cell.size:g}" color="{cell.color}">'
            f"{escape(cell.text)}{bold}</font></td>")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
