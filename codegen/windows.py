"""Sums in which neighbouring rows of a tile read the same values, one after the other: convolutions and their gradients.

A load whose index moves with a row of the tile just as it moves with a loop that sums is a window sliding along. Written out, the
loop that sums reads each value once for all rows whose windows hold it. Two kinds gain by that. Where all loads move with the lanes
(depthwise convolutions), rows share nothing else. A tile that is but one vector wide (up to 16 channels) loads a value for each
multiply-add, which is as much as a processor can: with the three taps of a window written out it loads less than half of that.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from functools import partial

from kcompile.common.struct import struct

from ..ir.scalar import Guard
from ..ir.types import DimLike
from .access import Access, accesses, inner_loops, static
from .nest import FOR, Loop, Nest, Stmt, statements
from .target import Target
from .tiles import IN_FLIGHT, LOADS, Room, Tile, tile_sizes, wasted

TAPS = 5  # of a window whose taps are written out for a product
IMAGES = 8  # of which a tile may have its rows: an image of no more rows needs no code for its border
ALONG = 6  # rows that it has at the least where the kernel may go through the samples with others, which no tile of several can
LONG_ROW = 16  # positions of which those at a border are few
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


def find_taps(nest: Nest, common: list[Loop], target: Target) -> Window | None:
    """The window of a product whose lanes are one vector, of which only the other operand moves with them; None where there is none.

    What is stored lies along the same lanes: they are then the only ones that suit, and no row of the window is among them."""
    body = common[-1].body if common and target.vector_bytes else ()
    stores = [a for a in accesses(nest, body) if a.store]
    sums = [loop for loop in inner_loops(body) if loop.mode == FOR]
    loads = [a for a in accesses(nest, tuple(s for s in body if isinstance(s, Loop))) if not a.store]
    if len(loads) != 2 or not all(loop.plain for loop in sums):
        return None
    for slid, other in (loads, loads[::-1]):
        lanes = [x for x in common if not slid.depends_on(x.var) and all(a.coefficient(x.var) == 1 for a in (other, *stores))]
        if len(lanes) != 1 or not target.lanes(other.dtype) // 2 < (static(lanes[0].extent) or 0) <= target.lanes(other.dtype):
            continue
        for over, row in itertools.product(reversed(sums), common):
            slides = slid.coefficient(over.var) == slid.coefficient(row.var) != 0
            steps = _written_out(static(over.extent), static(row.extent), over is sums[-1])
            border = edge(loads, row, over)
            apart = border == [] or (border is not None and steps == over.extent)  # a guard is known where all its taps are written out
            if slides and steps and apart and other.depends_on(over.var) and not other.depends_on(row.var):
                return Window(row.var, over.var, steps)
    return None


def edge(loads: list[Access], row: Loop, over: Loop) -> list[Guard] | None:
    """The guards that decide by a row and a trip of the sum alone which terms count; None where some guard moves with one of them in
    another way, so that tiles at the border of an image cannot be told from the others."""
    found = [g for a in loads for g in a.guards if {row.var, over.var} & g.index.variables]
    known = static(row.extent) is not None and static(over.extent) is not None
    alone = all(g.index.variables == {row.var, over.var} and isinstance(g.lo, int) and isinstance(g.hi, int) for g in found)
    return list(dict.fromkeys(found)) if not found or (known and alone) else None


def find_edge(nest: Nest, common: list[Loop], taps: Window | None, room: Room) -> tuple[str, str] | None:
    """The rows and the taps of a product whose tiles at the border of an image are to have code of their own; None where it has no
    border, or where the rows of a tile are better of several images, all at one place: where there are few, or where cutting them into
    tiles leaves short ones, of which those at the border then have few sums."""
    few = ALONG if nest.along else IMAGES + 1
    body = common[-1].body if common else ()
    loads = [a for a in accesses(nest, tuple(s for s in body if isinstance(s, Loop))) if not a.store]
    sums = [loop for loop in inner_loops(body) if loop.plain]
    for row, over in itertools.product(reversed(common), sums):
        if taps and (taps.row, taps.over) != (row.var, over.var):
            continue
        rows, trips = static(row.extent) or 0, static(over.extent) or WIDE + 1
        long = rows >= LONG_ROW or few <= rows <= room.sums // 2
        if edge(loads, row, over) and (taps or (long and trips <= WIDE)):
            return row.var, over.var
    return None


def _written_out(over: int | None, row: int | None, last: bool) -> int:
    """How many trips of the loop that sums are written out: all taps of a small window, of a long sum over an image a few; 0 for none."""
    if over is None or row is None:
        return 0
    if 2 <= over <= TAPS and row >= 2 * over:
        return over
    return next((n for n in (5, 4, 3) if over % n == 0), 0) if 2 <= row <= TAPS and last else 0


def taps_tile(window: Window, rows: Mapping[str, DimLike], room: Room) -> tuple[float, Tile]:
    """The tile of one vector that costs least for each result, and what it costs in time of its multiply-adds."""
    axes = list(rows)

    def rank(sizes: tuple[int, ...]) -> tuple[float, int]:
        height, slid = math.prod(sizes), sizes[axes.index(window.row)]
        done = height * window.steps
        loads = height // slid * (slid + window.steps - 1) + window.steps
        waste = math.prod(wasted(rows[axis], n) for axis, n in zip(axes, sizes, strict=True))
        return round(waste * (max(done, LOADS * loads, IN_FLIGHT * window.steps) + room.load * loads + room.trip) / done, 2), height

    def fits(sizes: tuple[int, ...]) -> bool:
        slid = sizes[axes.index(window.row)]
        return math.prod(sizes) + window.steps + min(slid, window.steps) <= room.registers

    best = min(filter(fits, tile_sizes([rows[axis] for axis in axes], room.sums)), key=rank)
    return rank(best)[0], Tile(1, dict(zip(axes, best, strict=True)))


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
