"""Sums in which neighbouring rows of a tile read the same vectors, one after the other: depthwise convolutions and their gradients.

A load whose index moves with a row of the tile just as it moves with a loop that sums is a window sliding along. Where it moves with the
lanes too, no row shares anything else: written out, the loop that sums reads each vector once for all rows whose windows hold it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from kcompile.ir.struct import struct

from .access import accesses, inner_loops, static
from .nest import Loop, Nest, Stmt, statements
from .target import Target
from .tiles import Room, Tile, wasted

WIDE = 7  # a window of more elements is not written out whole


@struct(frozen=True)
class Window:
    """`row` slides along `over`, of which `steps` trips are written out (all of them, if that is its extent)."""

    row: str
    over: str
    steps: int


def find_window(nest: Nest, body: tuple[Stmt, ...], vector: Loop, rows: list[Loop], target: Target) -> Window | None:
    """The window of a body whose loads all move with the lanes; None where some row shares a load with others."""
    inside = tuple(s for s in body if isinstance(s, Loop))
    loads = [a for a in accesses(nest, inside) if not a.store]
    if not rows or not all(a.depends_on(vector.var) for a in loads):
        return None
    for over in inner_loops(inside):
        extent = static(over.extent)
        if extent is None or extent < 2 or over.where or any(isinstance(s, Loop) for s in statements(over.body)):
            continue
        for row in rows:
            shared = [a for a in loads if a.coefficient(over.var) == a.coefficient(row.var) != 0 and not a.guards]
            if shared and static(row.extent) is not None:
                if extent <= WIDE and (static(row.extent) or 0) > 2:
                    return Window(row.var, over.var, extent)
                most = 4 if target.registers >= 32 else 2
                return Window(row.var, over.var, next(n for n in (most, 3, 2, 1) if extent % n == 0))
    return None


def window_tile(window: Window, rows: Mapping[str, int], room: Room) -> Tile:
    """A tile of one vector: the window's rows first, then as many of the other axes as there is room for."""
    most = room.sums
    tiles: dict[str, int] = {}
    for axis in (window.row, *(a for a in rows if a != window.row)):
        extent = rows[axis]
        choices = range(1, min(extent, most, 8 if axis == window.row else most) + 1)
        tiles[axis] = min(choices, key=partial(_dear, extent))
        most //= tiles[axis]
    return Tile(1, {axis: tiles[axis] for axis in rows})


def _dear(extent: int, rows: int) -> tuple[float, int]:
    """What a row of an axis costs in a tile of so many: the first and the last of a window are read for fewer."""
    return round(wasted(extent, rows) * (1 + 1 / rows), 3), rows
