"""Steps that ask for what comes after a tile's sum while it is summed: approach and next_panel.

    for i.o in 0..784 step 14                            for i.o in 0..784 step 14
      acc c                                                acc c
      for n in 0..B { c += ... }                   ->      for n in 0..B { prefetch m[min(32*i.o + 448 + 16*n, ...)] ; c += ... }
      for i.i<14 { m[32*i.o + 32*i.i + ..] = ... }         for i.i<14 { ... }

`approach(m, n)`: what the next tile's epilogue reads or writes of an array, a line a trip. A gradient that an optimizer applies at once
is a short sum; the weight and its slots would be waited for while nothing is summed, and the sums would leave memory idle.

`next_panel(w, k)`: the panel that comes after this one in memory, a line a trip, by as many tiles as it takes. The first tile of a panel
reads all of it from far away, the others from the second-level cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

from kcompile.ir.struct import struct

from ...ir.scalar import Aff, AxisValue, Expr, apply
from ..access import accesses, static
from ..nest import FOR, VECTOR, Acc, Accum, Let, Loop, Nest, Prefetch, Stmt, all_loads, map_body, statements
from .ahead import LINE
from .foresee import one_a_line, reached
from .loops import ScheduleError, record

TRIPS = 32  # of a sum whose length is not known: in so many all lines are asked for


@struct(frozen=True)
class _Place:
    """A loop that sums, the run-time loops around it, outermost first, and what stands after it in the tile."""

    sums: Loop
    around: tuple[Loop, ...]
    after: tuple[Stmt, ...]


def approach(nest: Nest, array: str, over: str) -> Nest:
    """Asks in each trip of the sums over `over` for lines of the array that the epilogue of the next tile meets."""
    return _asking(nest, f"approach({array}, {over})", array, over, _of_the_next_tile)


def approachable(nest: Nest, array: str, over: str) -> bool:
    """Whether there is something to ask for."""
    return any(_of_the_next_tile(nest, place, array) for place in _places(nest.body, ()) if place.sums.var == over)


def next_panel(nest: Nest, array: str, over: str) -> Nest:
    """Asks in each trip of the sums over `over` for a line of the panel of the array that comes next."""
    return _asking(nest, f"next_panel({array}, {over})", array, over, _of_the_next_panel)


def has_next_panel(nest: Nest, array: str, over: str) -> bool:
    """The same for `next_panel`."""
    return any(_of_the_next_panel(nest, place, array) for place in _places(nest.body, ()) if place.sums.var == over)


def _asking(nest: Nest, step: str, array: str, over: str, what: Callable[[Nest, _Place, str], tuple[Stmt, ...]]) -> Nest:
    asked = {id(place.sums): found for place in _places(nest.body, ()) if place.sums.var == over and (found := what(nest, place, array))}
    if not asked:
        raise ScheduleError(f"{step}: no tile that sums over {over} knows what comes next of {array}")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        found = asked.get(id(stmt))
        return (replace(stmt, body=(*found, *stmt.body)),) if found and isinstance(stmt, Loop) else None
    return record(nest, map_body(nest.body, change), step)


def _places(body: tuple[Stmt, ...], around: tuple[Loop, ...]) -> Iterator[_Place]:
    for n, stmt in enumerate(body):
        if not isinstance(stmt, Loop) or stmt.mode != FOR:
            continue
        if any(isinstance(s, Acc) for s in body[:n]) and any(isinstance(s, Accum) for s in stmt.inside) and not any(
                isinstance(s, Loop) and s.mode == FOR for s in stmt.inside):
            yield _Place(stmt, around, body[n + 1:])
        else:
            yield from _places(stmt.body, (*around, stmt))


def _of_the_next_tile(nest: Nest, place: _Place, array: str) -> tuple[Stmt, ...]:
    """Requests; none where the next tile's epilogue does not go on where this one's ends, or lines do not lie at equal distances."""
    places = {a.index for a in accesses(nest, place.after) if a.array == array}
    kind = nest.arrays.get(array)
    if len(places) != 1 or kind is None or not place.around:
        return ()
    (index,) = places
    tile = place.around[-1]
    within = {s.back or s.var: s for s in statements(place.after) if isinstance(s, Loop)}
    moved = index.coefficient(tile.back or tile.var)
    offsets = reached(index, [s for var, s in within.items() if s.mode != VECTOR and index.coefficient(var) != 0])
    base = index.substitute(dict.fromkeys(within, Aff()))
    found = one_a_line(Aff(), sorted(offsets), kind.dtype.size, most=4 * TRIPS)
    apart = {int(str((b + a * -1).const)) for a, b in pairwise(found)}
    if not isinstance(moved, int) or moved <= 0 or len(apart) != 1:
        return ()
    (distance,) = apart
    each = -(-len(found) // TRIPS)
    over = place.sums.var
    later = base + moved * tile.step + Aff.of({over: each * distance})
    return _request(place.sums, array, [later + n * distance for n in range(each)], Aff.of(0) + (kind.size - LINE // kind.dtype.size))


def _of_the_next_panel(nest: Nest, place: _Place, array: str) -> tuple[Stmt, ...]:
    """A request; none where the panels do not lie one after the other, each in one piece."""
    loads = dict.fromkeys(load for load in all_loads(place.sums.body) if load.array == array)
    kind, extent, over = nest.arrays.get(array), static(place.sums.extent), place.sums.var
    if len(loads) != 1 or kind is None or extent is None or place.sums.step != 1:
        return ()
    (load,) = loads
    (index,), line = load.index, LINE // load.dtype.size
    row = index.coefficient(over)
    within = [s for s in place.sums.inside if isinstance(s, Loop)]
    panels = [loop for loop in place.around if index.coefficient(loop.back or loop.var) != 0 and loop.extent != loop.step]
    tiles = [loop for loop in place.around if panels and loop not in panels and place.around.index(loop) > place.around.index(panels[-1])
             and loop.extent != loop.step]
    if load.guards or not isinstance(row, int) or len(panels) != 1 or len(tiles) != 1 or panels[0].back:
        return ()
    size = extent * row
    if index.coefficient(panels[0].var) * panels[0].step != size or row != 1 + max(reached(index, [s for s in within if s.mode != FOR])):
        return ()
    start = index.substitute({over: Aff(), **{s.back or s.var: Aff() for s in within}}) + size
    asked = start + Aff.of({over: line, (tiles[0].back or tiles[0].var): line * extent // tiles[0].step})
    return _request(place.sums, array, [asked], start + (size - line), Aff.of(0) + (kind.size - line))


def _request(sums: Loop, array: str, asked: list[Aff], *limits: Aff) -> tuple[Stmt, ...]:
    """The first place by name, no further than the limits: to look for a page that is not there can take longer than all the rest."""
    name = f"{sums.var}.m{sum(isinstance(s, Let) for s in sums.body) or ''}"
    place: Expr = AxisValue(asked[0])
    for limit in limits:
        place = apply("min", place, AxisValue(limit))
    return Let(name, place, index=True), *(Prefetch(array, Aff.of(name) + (one + asked[0] * -1)) for one in asked)
