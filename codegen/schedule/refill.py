"""A step for sums whose panels are too long to be packed at once: refill.

    refill(n, j.o, 128)   for j.o { for i.o { acc c ; for n in 0..B { c += x[..] * d[512*n + j.o + ..] } ; y = c } }
                          ->  for j.o
                                for n.b in 0..B - 128 step 128             # all parts of the sum but the first
                                  for n.p { part.d[..] = d[512*(n.b + 128 + n.p) + j.o + ..] }
                                  for i.o { acc c ; c += sums[..] ; for n in 0..128 { c += x[..] * part.d[..] } ; sums[..] = c }
                                for n.p { part.d[..] = d[512*n.p + j.o + ..] }
                                for i.o { acc c ; c += sums[..] ; for n in 0..128 { c += x[..] * part.d[..] } ; y = c }

The operand along the lanes is packed a part of the sum at a time, which all tiles of the panel take from the first-level cache however far
apart its rows lie in memory. A sum no longer than a part touches no memory on its way, and its epilogue follows at once.
"""

from __future__ import annotations

from dataclasses import replace

from ...ir.scalar import Aff, Const, Expr, Guard, Load, Ref, rewrite
from ...ir.types import DimLike, DType
from ..access import chain
from ..nest import FOR, VECTOR, Acc, Accum, Clip, Loop, Nest, Stmt, Store, all_loads, identity, map_body, statements, substitute
from .block import around, nested, position, summed_group
from .loops import ScheduleError, record


def refill(nest: Nest, over: str, panel: str, size: int) -> Nest:
    """Goes through the sums over `over` inside the loop `panel` so many trips at a time, with what the lanes take packed."""
    step = f"refill({over}, {panel}, {size})"
    scratch = dict(nest.scratch)
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var != panel:
            return None
        done = True
        return (replace(stmt, body=_filled(stmt.body, over, size, scratch, step)),)

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: nest {nest.name} has no loop {panel}")
    return record(replace(nest, body=body, scratch=scratch), body, step)


def refilled(body: tuple[Stmt, ...], over: str) -> Load | None:
    """What a panel's tiles would take from packed memory: the one load along the lanes that no row of a tile and no tile moves. None where
    tiles are not such, or their number is not known."""
    tiles, inside = _tiles(body)
    if len(inside) < 2 or not isinstance(inside[0], Acc) or inside[0].folded or any(isinstance(s, Acc) for s in statements(inside[1:])):
        return None
    inner = inside[1]
    if not isinstance(inner, Loop) or inner.var != over or not inner.plain or any(
            isinstance(s, Loop) and s.mode == FOR for s in inner.inside) or not all(isinstance(loop.extent, int) for loop in tiles):
        return None
    lanes = [s.var for s in inner.inside if isinstance(s, Loop) and s.mode == VECTOR]
    loads = dict.fromkeys(load for load in all_loads(inner.body) if load.index[0].coefficient(over) != 0 and not load.guards)
    found = [load for load in loads if len(lanes) == 1 and load.index[0].coefficient(lanes[0]) == 1]
    own = {loop.var for loop in tiles} | {d.var for d in inside[0].dims if d.var.endswith(".i")}
    return found[0] if len(found) == 1 and not found[0].index[0].variables & own else None


def _tiles(body: tuple[Stmt, ...]) -> tuple[list[Loop], tuple[Stmt, ...]]:
    """The run-time loops around the tile, and what stands in the innermost."""
    tiles = chain(body)
    return tiles, tiles[-1].body if tiles else body


def _filled(body: tuple[Stmt, ...], over: str, size: int, scratch: dict[str, tuple[DType, int]], step: str) -> tuple[Stmt, ...]:
    load = refilled(body, over)
    if load is None:
        raise ScheduleError(f"{step}: inside it are no tiles that sum over {over} what no other tile takes along the lanes")
    tiles, inside = _tiles(body)
    acc, inner, after = inside[0], inside[1], inside[2:]
    assert isinstance(acc, Acc) and isinstance(inner, Loop)
    group = summed_group(inner, acc, step)
    waiting, elements = position(group, tiles, step)
    sums, part = f"sums.{acc.name}", f"part.{load.array}"
    lane = next(loop for loop in group if loop.mode == VECTOR)
    beside = [loop for loop in group if loop is not lane and load.index[0].coefficient(loop.var) != 0]
    terms: dict[str, DimLike] = {lane.var: 1}
    width = int(str(lane.extent))
    for loop in reversed(beside):
        terms[loop.var] = width
        width *= int(str(loop.extent))
    place = Aff.of({**terms, over: width})
    extent, later, copied = inner.extent, f"{over}.b", f"{over}.p"
    scratch[part] = (load.dtype, size * width)

    def fill(moved: Aff, clip: Clip | None) -> Loop:
        source = Load(load.array, (load.index[0].substitute({over: moved + Aff.of(copied)}),), load.dtype)
        store: tuple[Stmt, ...] = (Store(part, place.substitute({over: Aff.of(copied)}), source),)
        return Loop(copied, size if clip else extent, nested([*beside, lane], store), clip=clip)

    def trips(moved: Aff) -> tuple[Stmt, ...]:
        """What the sum does in a part that begins there."""
        here = {over: moved + Aff.of(over)}
        asked = replace(load, index=(load.index[0].substitute(here),))

        def packed(e: Expr) -> Expr | None:
            return Load(part, (place,), load.dtype) if e == asked else None

        def taken(stmt: Stmt) -> tuple[Stmt, ...] | None:
            return (replace(stmt, expr=rewrite(stmt.expr, packed)),) if isinstance(stmt, Accum) else None
        return map_body(substitute(inner.body, here), taken)

    def summed(guard: Guard, moved: Aff) -> tuple[Stmt, ...]:
        before = Load(sums, (waiting,), acc.dtype, (guard,), Const(identity(acc.op, acc.dtype), acc.dtype))
        return acc, around(group, (Accum(acc.name, before),)), replace(inner, extent=size, body=trips(moved), clip=Clip(moved, extent))

    if isinstance(extent, int) and extent <= size:
        return fill(Aff(), None), *nested(tiles, (acc, replace(inner, body=trips(Aff())), *after))
    scratch[sums] = (acc.dtype, elements)
    start = Aff.of(later, size)
    rest = (*summed(Guard(Aff.of(later), 1, extent), start), around(group, (Store(sums, waiting, Ref(acc.name, acc.dtype)),)))
    first = (*summed(Guard(Aff.of(0, extent), size + 1, extent + 1), Aff()), *after)
    parts = Loop(later, extent - size, (fill(start, Clip(start, extent)), *nested(tiles, rest)), step=size)
    return parts, fill(Aff(), Clip(Aff(), extent)), *nested(tiles, first)
