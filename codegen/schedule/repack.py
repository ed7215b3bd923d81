"""A step for long sums that many panels take: repack.

    repack(n, j.o, 128)   for j.o { for i.o { acc c ; for n in 0..B { c += x[784*n + i.o + ..] * d[512*n + j.o + ..] } ; y = c } }
                          ->  for n.b in 0..B - 128 step 128             # all parts of the sum but the first
                                for n.c step 16 { for i.o { for n.p in 0..16 { rows.x[..] = x[784*(n.b + 128 + n.c + n.p) + ..] } } }
                                for j.o
                                  for n.p { part.d[..] = d[512*(n.b + 128 + n.p) + j.o + ..] }
                                  for i.o { acc c ; c += sums[..] ; for n in 0..128 { c += rows.x * part.d } ; sums[..] = c }
                              for n.c step 16 { for i.o { for n.p in 0..16 { rows.x[..] = x[784*(n.c + n.p) + ..] } } }
                              for j.o
                                for n.p { part.d[..] = d[512*n.p + j.o + ..] }
                                for i.o { acc c ; c += sums[..] ; for n in 0..128 { c += rows.x * part.d } ; y = c }

Both operands are packed a part of the sum at a time: the one along the lanes for each panel, as `refill` does, and before all panels the
one along the rows, tile after tile, so that what a tile takes is one stretch of memory. Read where it lies it is a piece of each of
many rows of memory: as many pages, and as many lines that share a few sets of the first-level cache. It is packed some terms at a time:
row by row the copy would write to as many places as there are tiles.

With `repack(n, j.o, 128, 64)` sums of up to 64 terms, which are known when the kernel runs, take both operands from where they lie, and of
a tile's rows all panels come one after the other: to pack them would take longer, and what follows a sum then runs along memory.

    for n.f in 0..1 if B < 65 { for i.o { for j.o { acc c ; for n in 0..B { c += x[..] * d[..] } ; y = c } } }
    for n.m in 0..1 if 65 <= B { for n.b ... }

Both ways sum the same terms in the same order.

With `repack(n, j.o, 128, 64, along)` the first tile of a panel packs what it takes along the lanes while it sums, and each trip of a tile
asks for the same row of the next panel:

    for j.o { for i.o { acc c ; c += sums[..]
                        for i.o.a in 0..1 if i.o < 1  { for n { prefetch d[.. + 32] ; part.d[..] = d[..] ; c += rows.x * d[..] } }
                        for i.o.n in 0..1 if 1 <= i.o { for n { prefetch d[.. + 32] ; c += rows.x * part.d } }
                        sums[..] = c } }
"""

from __future__ import annotations

import math

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Const, Guard, Load, rewrite
from ...ir.types import Dim, DType
from ..nest import VECTOR, Accum, Clip, Loop, Nest, Prefetch, Stmt, Store, all_loads, map_body
from ..target import LINE
from .block import around, nested
from .loops import ScheduleError, record, refuse
from .parts import Packed, Summing, filled, in_parts, lanes_packed, summing

TOGETHER = 16  # terms of a tile at most that are copied one after the other


def repack(nest: Nest, over: str, panels: str, size: int, few: int = 0, along: str = "") -> Nest:
    """Goes through the sums over `over` inside the loop `panels` so many trips at a time, with both operands packed; up to `few` trips are
    taken as they lie. With `along` the first tile of a panel packs what lies along its lanes."""
    step = f"repack({over}, {panels}, {size}{f', {few}' if few or along else ''}{', along' if along else ''})"
    scratch = dict(nest.scratch)
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var != panels:
            return None
        done = True
        refuse(step, why_not_repack(stmt, over, size, few))
        parts = _in_parts(stmt, over, size, bool(along), scratch, step)
        return _unless_few(stmt, over, few, parts) if few else parts

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: nest {nest.name} has no loop {panels}")
    return record(replace(nest, body=body, scratch=scratch), body, step)


def why_not_repack(panels: Loop, over: str, size: int = 0, few: int = 0) -> str:
    """What stands against `repack`; '' for nothing."""
    tiles = summing((panels,), over)
    if tiles is None:
        return f"inside {panels.var} are no tiles of known number that sum over {over} alone"
    found = _operands(tiles)
    if few and (not isinstance(tiles.sums.extent, Dim) or few > size):
        return f"sums of up to {few} terms are not told from others, or would be in another order"
    if found is None:
        return "a tile does not sum a product of one operand along its rows and one along its lanes"
    along, across = found
    row, lanes = _row(tiles, along), int(str(tiles.lane.extent))
    rows = [loop for loop in tiles.loops if along.index[0].coefficient(loop.var) != 0]
    if len(tiles.loops) < 2 or len(rows) != 1 or rows[0] is not tiles.loops[-1] or rows[0].back or rows[0].step != row.extent:
        return f"the rows of a tile are not told by one loop, the innermost around it, that takes whole tiles along {row.var}"
    if across.index[0].coefficient(rows[0].var) != 0:
        return f"{across.array} moves with the tiles of a panel"
    if int(str(row.extent)) > lanes:
        return f"the {row.extent} rows of a tile are more than a vector's {lanes} lanes"
    return ""


def _operands(tiles: Summing) -> tuple[Load, Load] | None:
    """The operand along the rows of a tile, of which it takes a piece of memory in each term, and the one along the lanes."""
    loads = list(dict.fromkeys(all_loads(tiles.sums.body)))
    if len(loads) != 2 or any(load.guards or load.index[0].coefficient(tiles.sums.var) == 0 for load in loads):
        return None
    lane = tiles.lane.var
    across = [load for load in loads if load.index[0].coefficient(lane) == 1]
    along = [load for load in loads if load.index[0].coefficient(lane) == 0 and len(tiles.beside(load)) == 1
             and load.index[0].coefficient(tiles.beside(load)[0].var) == 1]
    if len(across) != 1 or len(along) != 1 or across[0].array == along[0].array or _row(tiles, along[0]) in tiles.beside(across[0]):
        return None
    return along[0], across[0]


def _row(tiles: Summing, along: Load) -> Loop:
    """The unrolled loop over the rows of a tile."""
    (row,) = tiles.beside(along)
    return row


def _in_parts(stmt: Loop, over: str, size: int, along_lanes: bool, scratch: dict[str, tuple[DType, int]], step: str) -> tuple[Stmt, ...]:
    tiles = summing((stmt,), over)
    found = _operands(tiles) if tiles else None
    assert tiles and found
    along, across = found
    lanes = lanes_packed(tiles, across, size, scratch)
    rows = _rows_packed(tiles, along, size, scratch)
    panels = list(tiles.loops[:-1])

    def copied(moved: Aff, clip: Clip | None, inside: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        if along_lanes:
            of_a_panel: tuple[Stmt, ...] = (replace(tiles.loops[-1], body=_packing_along(tiles, lanes, moved, inside)),)
        else:
            of_a_panel = filled(tiles, lanes, size, moved, clip), replace(tiles.loops[-1], body=inside)
        return _rows_filled(tiles, rows, size, moved, clip), *nested(panels, of_a_panel)
    return in_parts(tiles, size, [rows, lanes], copied, scratch, step)


def _packing_along(tiles: Summing, lanes: Packed, moved: Aff, inside: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """A tile in a part that begins there; the first of a panel packs what it takes along the lanes, for the others. All of them ask for
    the same row of the next panel."""
    over, tile, panel = tiles.sums.var, tiles.loops[-1], tiles.loops[-2]
    source = replace(lanes.load, index=(lanes.load.index[0].substitute({over: moved + Aff.of(over)}),))
    packed = Load(lanes.name, (lanes.place,), source.dtype)
    group = [*tiles.beside(lanes.load), tiles.lane]
    kept = around(group, (Store(lanes.name, lanes.place, source),))
    at = panel.back or panel.var
    following = source.index[0].substitute({at: Aff.of(at) + panel.step, **{loop.var: Aff() for loop in group}})
    width = math.prod(int(str(loop.extent)) for loop in group)
    asked = tuple(Prefetch(source.array, following + n) for n in range(0, width, LINE // source.dtype.size))

    def read_there(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (replace(stmt, expr=rewrite(stmt.expr, lambda e: source if e == packed else None)),) if isinstance(stmt, Accum) else None

    def change(stmt: Stmt) -> tuple[Stmt, ...]:
        if not isinstance(stmt, Loop) or stmt.var != over:
            return (stmt,)
        first = replace(stmt, body=(*asked, kept, *map_body(stmt.body, read_there)))
        other = replace(stmt, body=(*asked, *stmt.body))
        here = Aff.of(tile.var)
        return Loop(f"{tile.var}.a", 1, (first,), clip=Clip(here, 1)), Loop(f"{tile.var}.n", 1, (other,), clip=Clip(here * -1 + 1, 1))
    return tuple(s for stmt in inside for s in change(stmt))


def _unless_few(stmt: Loop, over: str, few: int, parts: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The parts for sums that are longer; for others the tiles as they were, rows outermost."""
    tiles = summing((stmt,), over)
    assert tiles
    length = Aff.of(0) + tiles.sums.extent
    short = nested([tiles.loops[-1], *tiles.loops[:-1]], tiles.loops[-1].body)
    return (Loop(f"{over}.f", 1, short, clip=Clip(length, few + 1)),
            Loop(f"{over}.m", 1, parts, clip=Clip(length * -1 + (few + 1), 1)))


def _rows_packed(tiles: Summing, load: Load, size: int, scratch: dict[str, tuple[DType, int]]) -> Packed:
    """The operand along the rows: tile after tile, in each term by term."""
    tile, row = tiles.loops[-1], _row(tiles, load)
    height = int(str(row.extent))
    name = f"rows.{load.array}"
    scratch[name] = (load.dtype, -(-int(str(tile.extent)) // tile.step) * size * height)
    return Packed(load, name, Aff.of({tile.var: size, tiles.sums.var: height, row.var: 1}))


def _rows_filled(tiles: Summing, rows: Packed, size: int, moved: Aff, clip: Clip | None) -> Loop:
    """The loops that fill it with the part that begins there. Where the last tile has not all its rows, zeros take their places."""
    over, tile, row = tiles.sums.var, tiles.loops[-1], _row(tiles, rows.load)
    first, term, lane = f"{over}.c", f"{over}.p", f"{row.var}.p"
    height, lanes = int(str(row.extent)), int(str(tiles.lane.extent))
    length = size if clip else int(str(tiles.sums.extent))
    some = max(n for n in range(1, TOGETHER + 1) if length % n == 0)
    here = Aff.of({first: 1, term: 1})
    there = {row.var: Aff.of(lane)}
    dtype = rows.load.dtype
    live = (Guard(row.clip.base.substitute(there) + Aff.of(lane), 0, row.clip.extent),) if row.clip else ()
    source = Load(rows.load.array, (rows.load.index[0].substitute({**there, over: moved + here}),), dtype, live,
                  Const(0, dtype) if live else None)
    body: tuple[Stmt, ...] = (Store(rows.name, rows.place.substitute({**there, over: here}), source),)
    copied = Loop(lane, lanes, body, mode=VECTOR, clip=Clip(Aff(), height) if height < lanes else None)
    terms = Loop(term, some, (copied,), clip=clip and Clip(clip.base + Aff.of(first), clip.extent))
    return Loop(first, length, (replace(tile, body=(terms,)),), step=some, clip=clip)
