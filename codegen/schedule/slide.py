"""A step that makes the last tile of an axis a whole one: slide.

    slide(j.o)      for j.o in 0..53 step 16 { each j.i.v:vec16 if j.o + j.i.v < 53 { y[j.o + j.i.v] = ... } }
                    ->  for j.o in 0..53 step 16 back j.b { each j.i.v:vec16 { y[j.b + j.i.v] = ... } }
    slide(j.i.u)    each j.i.u<2, j.i.v:vec8 if 8*j.i.u + j.i.v < 10 { y[8*j.i.u + j.i.v] = ... }
                    ->  each j.i.u<10 step 8 back j.i.b, j.i.v:vec8 { y[j.i.b + j.i.v] = ... }

The last tile (or vector) begins at 37 (at 2) and computes some elements for a second time, to the same bits. In return nothing is masked
or clamped. That is right where doing an element twice does no harm: nothing is added to memory, nothing read that is written.
"""

from __future__ import annotations

from collections.abc import Callable

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Apply, AxisValue, Const, Expr, Guard, Load, rewrite
from ...ir.types import Dim
from ..access import accesses
from ..nest import (
    UNROLL,
    VECTOR,
    Acc,
    Accum,
    Clip,
    Let,
    Loop,
    Nest,
    Prefetch,
    Stmt,
    Store,
    Transpose,
    all_loads,
    all_stores,
    loops,
    statements,
)
from .accumulate import carried
from .loops import record, refuse

Place = Callable[[str, Aff], Aff]  # the new index of an array's access


def slide(nest: Nest, *tiles: str) -> Nest:
    """Lets the last trip of the run-time loops `tiles` step back, or that of the unrolled loop of a tile's vectors.

    Several: loops over one axis that share private memory.
    """
    step = f"slide({', '.join(tiles)})"
    refuse(step, why_not_slide(nest, *tiles))
    nest = _in_steps_of_lanes(nest, tiles)
    names = {var: f"{var[:-2]}.b" for var in tiles}
    moved = {var: Aff.of(name) for var, name in names.items()}

    def ends(clip: Clip | None) -> Clip | None:
        return None if clip and clip.base.variables & moved.keys() else clip

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Loop):
            return replace(stmt, clip=ends(stmt.clip), back=names.get(stmt.var, stmt.back))
        if isinstance(stmt, Transpose):
            return replace(stmt, lane_clip=ends(stmt.lane_clip), column_clip=ends(stmt.column_clip))
        return stmt

    def place(array: str, index: Aff) -> Aff:
        return index if array in nest.scratch else index.substitute(moved)  # private memory has room for every tile

    return record(nest, with_indices(tuple(_walk(s, change) for s in nest.body), place), step)


def _walk(stmt: Stmt, change: Callable[[Stmt], Stmt]) -> Stmt:
    changed = change(stmt)
    return replace(changed, body=tuple(_walk(s, change) for s in changed.body)) if isinstance(changed, Loop) else changed


def with_indices(body: tuple[Stmt, ...], place: Place) -> tuple[Stmt, ...]:
    """A body with other indices: those of accesses by array, those of guards and axis values as if of no array."""

    def leaf(e: Expr) -> Expr | None:
        if isinstance(e, Load):
            guards = tuple(Guard(place("", g.index), g.lo, g.hi) for g in e.guards)
            return Load(e.array, (place(e.array, e.index[0]),), e.dtype, guards, e.other)
        return AxisValue(place("", e.index), e.dtype) if isinstance(e, AxisValue) else None

    def one(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Transpose):
            return replace(stmt, index=place(stmt.array, stmt.index))
        if isinstance(stmt, Prefetch):
            return replace(stmt, index=place(stmt.array, stmt.index))
        if isinstance(stmt, Store):
            return replace(stmt, index=place(stmt.array, stmt.index), expr=rewrite(stmt.expr, leaf))
        return replace(stmt, expr=rewrite(stmt.expr, leaf)) if isinstance(stmt, (Accum, Let)) else stmt

    return tuple(_walk(s, one) for s in body)


def _in_steps_of_lanes(nest: Nest, tiles: tuple[str, ...]) -> Nest:
    """Unrolled loops of vectors count elements instead: 0, 8, 16 in place of 0, 1, 2."""
    units = {loop.var: _lanes(loop) for var in tiles for loop in loops(nest, var) if loop.mode == UNROLL}
    if not units:
        return nest
    extent = next(_end(loop) for loop in loops(nest, tiles[0]))

    def scaled(aff: Aff) -> Aff:
        for var, lanes in units.items():
            factor = int(str(aff.coefficient(var)))
            aff = aff + Aff.of({var: factor // lanes - factor})
        return aff

    def change(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Loop):
            clip = stmt.clip and Clip(scaled(stmt.clip.base), stmt.clip.extent)
            return replace(stmt, clip=clip, extent=extent, step=units[stmt.var]) if stmt.var in units else replace(stmt, clip=clip)
        if isinstance(stmt, Transpose):
            clips = [clip and Clip(scaled(clip.base), clip.extent) for clip in (stmt.lane_clip, stmt.column_clip)]
            return replace(stmt, lane_clip=clips[0], column_clip=clips[1])
        return stmt

    return replace(nest, body=with_indices(tuple(_walk(s, change) for s in nest.body), lambda _, index: scaled(index)))


def _lanes(loop: Loop) -> int:
    """Lanes of the vectors that an unrolled loop counts; 0 where there are none, or of several widths."""
    found = {int(str(s.extent)) for s in statements(loop.body) if isinstance(s, Loop) and s.mode == VECTOR}
    return found.pop() if len(found) == 1 else 0


def _end(loop: Loop) -> int:
    """Where the vectors that an unrolled loop counts end; 0 where that is not one number, or where it counts something else, as rows of
    vectors."""
    clips = [s.clip for s in statements(loop.body) if isinstance(s, Loop) and s.mode == VECTOR and s.clip]
    found = {clip.extent for clip in clips if clip.base.coefficient(loop.var) == _lanes(loop)}
    end = found.pop() if len(found) == 1 and all(loop.var in clip.base.variables for clip in clips) else 0
    return 0 if isinstance(end, Dim) else end


def why_not_slide(nest: Nest, *tiles: str) -> str:
    """What stands against `slide`; '' for nothing."""
    found = [loop for var in tiles for loop in loops(nest, var)]
    if not found or len({loop.var for loop in found}) < len(tiles):
        return f"nest {nest.name} has no loops {', '.join(tiles)}"
    unrolled = found[0].mode == UNROLL
    shapes = {(_end(loop), _lanes(loop)) if unrolled else (loop.extent, loop.step) for loop in found}
    extent, step = next(iter(shapes))
    if len(shapes) > 1 or isinstance(extent, Dim) or any(loop.mode != found[0].mode or loop.clip or loop.back for loop in found):
        return "the loops are not of one static extent and step that nothing ends early"
    if unrolled and (len(tiles) > 1 or any(loop.step != 1 for loop in found) or not step or not extent
                     or not _all_moves_whole(nest, tiles[0], step)):
        return f"{tiles[0]} does not count vectors of one length, of which the last ends early"
    if extent < step or extent % step == 0 or (unrolled and -(-extent // step) != found[0].extent):
        return f"the extent {extent} is less than a tile of {step}" if extent < step else "the last tile is a whole one already"
    inside = tuple(stmt for loop in found for stmt in loop.body)
    private = {s.name for s in statements(nest.body) if isinstance(s, Acc) and unrolled and any(d.var in tiles for d in s.dims)}
    if any(carried(loop) - private for loop in found):
        return "the loop sums"
    if any(isinstance(s, Acc) and set(s.folded) & set(tiles) for s in statements(nest.body)):
        return "the sums of its trips are combined"
    if any(isinstance(s, Store) and s.accumulate for s in statements(inside)):
        return "it adds to memory"
    stored = {s.array for s in all_stores(inside)}
    return changed_twice(nest, inside) or _clips(nest, found, extent, step) or _private(nest, found, stored & nest.scratch.keys())


def changed_twice(nest: Nest, body: tuple[Stmt, ...]) -> str:
    """Which arrays statements both read and write, which they must not do twice; '' for none."""
    stored = {s.array for s in all_stores(body)}
    read = {load.array for load in all_loads(body)}
    partners = {nest.in_place.get(array, array) for array in stored}
    changed = (stored | partners) & read - nest.scratch.keys()
    return f"{', '.join(sorted(changed))} would be changed twice" if changed else ""


def _all_moves_whole(nest: Nest, unit: str, lanes: int) -> bool:
    """Whether every index moves by whole vectors with the unrolled loop."""
    seen: list[Aff] = []

    def look(_: str, index: Aff) -> Aff:
        seen.append(index)
        return index

    with_indices(nest.body, look)
    return all(isinstance(aff.coefficient(unit), int) and int(str(aff.coefficient(unit))) % lanes == 0 for aff in seen)


def _largest(nest: Nest) -> dict[str, int]:
    """The last value of each loop of static extent, and the larger one of each index that is one of two numbers."""
    found: dict[str, int] = {}
    for s in statements(nest.body):
        if isinstance(s, Loop) and isinstance(s.extent, int):
            found[s.var] = (s.extent - 1) // s.step * s.step
        elif isinstance(s, Let) and s.index and isinstance(s.expr, Apply) and s.expr.fn == "select":
            numbers = [e.value for e in s.expr.args[1:] if isinstance(e, Const)]
            if len(numbers) == 2:
                found[s.name] = int(max(numbers))
    return found


def _clips(nest: Nest, found: list[Loop], extent: int, step: int) -> str:
    """What ends early inside must do so for the end of the tile alone, whose loops cover it and no more."""
    largest = _largest(nest)
    for tile in found:
        moves = step if tile.mode == UNROLL else 1
        for stmt in statements(tile.body):
            own: list[tuple[Clip | None, int]] = []
            if isinstance(stmt, Loop):
                own = [(stmt.clip, largest.get(stmt.var, 0))]
            elif isinstance(stmt, Transpose):
                own = [(stmt.lane_clip, stmt.count - 1), (stmt.column_clip, stmt.width - 1)]
            for clip, most in own:
                if clip is None or tile.var not in clip.base.variables:
                    continue
                rest = clip.base + Aff.of({tile.var: -moves})
                known = tile.var not in rest.variables and isinstance(rest.const, int) and all(
                    v in largest and isinstance(factor, int) for v, factor in rest.terms)
                if not known or clip.extent != extent or most + int(str(rest.const)) + sum(
                        int(str(factor)) * largest[v] for v, factor in rest.terms) >= step:
                    return f"a loop inside {tile.var} ends with something else than the tile"
    return ""


def _private(nest: Nest, found: list[Loop], written: set[str]) -> str:
    """Private memory that the tiles write or go along is for them alone, and holds whole tiles."""
    names = {loop.var for loop in found}
    inside = [a for loop in found for a in accesses(nest, loop.body) if a.array in nest.scratch]
    along = written | {a.array for a in inside if a.index.variables & names}
    if sum(a.array in along for a in inside) < sum(a.array in along for a in accesses(nest, nest.body)):
        return f"{', '.join(sorted(along))} is used outside of the loops too"
    largest = _largest(nest)
    for a in inside:
        if a.array in along and a.index.variables & names:
            if not all(v in largest and isinstance(factor, int) for v, factor in a.index.terms):
                return f"how far {a.array} is used is not known"
            if int(str(a.index.const)) + sum(int(str(factor)) * largest[v] for v, factor in a.index.terms) >= nest.scratch[a.array][1]:
                return f"{a.array} has no room for a last tile that is whole"
    return ""
