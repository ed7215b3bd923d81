"""A step for the last tile of an axis of known length: short.

    short(i.i)    for i.o in 0..7 step 4 { acc c[i.i<4] ; for k ... each i.i<4 if i.o + i.i < 7 ... }
                  ->  for i.o in 0..7 step 4 {
                        for i.w in 0..1 if i.o + i.w + 3 < 7 { acc c[i.i<4] ; for k ... each i.i<4 ... }
                        for i.s in 0..1 if 7 - i.o + i.s < 4 { acc c[i.i<3] ; for k ... each i.i<3 ... } }

The last tile has code of its own for the rows that are left: where `slide` would compute too many of them twice.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.types import Dim
from ..nest import Acc, Clip, Loop, Nest, Stmt, loops, map_body
from .loops import record, refuse
from .singly import is_tile, whole_rows, why_not_apart


def short(nest: Nest, rows: str) -> Nest:
    """Gives the last tile along the unrolled loop `rows` as many rows as are left."""
    step = f"short({rows})"
    refuse(step, why_not_short(nest, rows))
    clip, count = next(loop.clip for loop in loops(nest, rows) if loop.clip), int(str(loops(nest, rows)[0].extent))
    left = int(str(clip.extent)) % count
    axis = rows.removesuffix(".i")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or not any(is_tile(s, rows) for s in stmt.body):
            return None
        start = next(n for n, s in enumerate(stmt.body) if is_tile(s, rows))
        before, tile = stmt.body[:start], stmt.body[start:]
        full = Loop(f"{axis}.w", 1, whole_rows(tile, rows), clip=Clip(clip.base + (count - 1), clip.extent))
        last = Loop(f"{axis}.s", 1, first_rows(tile, rows, left), clip=Clip(clip.base * -1 + clip.extent, count))
        return (replace(stmt, body=(*before, full, last)),)

    return record(nest, map_body(nest.body, change), step)


def why_not_short(nest: Nest, rows: str) -> str:
    """What stands against `short`; '' for nothing."""
    reason = why_not_apart(nest, rows)
    if reason:
        return reason
    found = loops(nest, rows)
    clip, count = next(loop.clip for loop in found if loop.clip), int(str(found[0].extent))
    if isinstance(clip.extent, Dim):
        return f"the length of {rows} is not known"
    axis = rows.removesuffix(".i")
    tiles = loops(nest, f"{axis}.o")
    if not tiles or any(x.step != count or x.extent != clip.extent for x in tiles) or clip.base.variables != {f"{axis}.o"}:
        return f"{rows} is not cut from one loop of that length"
    return "" if clip.extent > count and clip.extent % count else "the last tile is a whole one already, or the only one"


def first_rows(body: tuple[Stmt, ...], rows: str, left: int) -> tuple[Stmt, ...]:
    """The body of a tile for its first rows, which are live ones."""

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, Acc):
            return (replace(stmt, dims=tuple(replace(d, extent=left) if d.var == rows else d for d in stmt.dims)),)
        if isinstance(stmt, Loop) and stmt.var == rows:
            return (replace(stmt, extent=left, clip=None, body=first_rows(stmt.body, rows, left)),)
        return None

    return map_body(body, change)
