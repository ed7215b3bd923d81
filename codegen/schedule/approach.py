"""Steps that ask for what comes after a tile's sum while it is summed: approach and next_panel.

    for i.o in 0..784 step 14                            for i.o in 0..784 step 14
      acc c                                                acc c
                                                           index n.m = min(32*i.o + 448, ...)
      for n in 0..B { c += ... }                   ->      for n in 0..B { index n.m1 = min(16*n, 432) ; prefetch m[n.m + n.m1] ; c += ... }
      for i.i<14 { m[32*i.o + 32*i.i + ..] = ... }         for i.i<14 { ... }

`approach(m, n)`: what the next tile's epilogue reads or writes of an array, a line a trip. A gradient that an optimizer applies at once
is a short sum; the weight and its slots would be waited for while nothing is summed, and the sums would leave memory idle. The trips that
are left of a long sum ask for the last line again: what more they would ask for fills the first-level cache before its time.

`next_panel(w, k)`: the panel that comes after this one in memory, a line a trip, by as many tiles as it takes. The first tile of a panel
reads all of it from far away, the others from the second-level cache. Tiles after these sum in a loop of their own, where nobody asks.

    for i.o in 0..B step 8                       for i.o in 0..B step 8
      acc c                                        acc c
      for k in 0..784 { c += w[..] }      ->       index k.m = min(1568*i.o + 25088*j.panel + 25088, ...)
                                                   for k in 0..784 where 0 <= k + 98*i.o < 1568 { prefetch w[k.m + 16*k] ; c += w[..] }
                                                   for k in 0..784 where 1568 <= k + 98*i.o < ... { c += w[..] }

Scalar instructions share their ports with vectors, so that where a tile's requests begin is told before its sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from kcompile.ir.struct import replace, struct

from ...ir.scalar import Aff, AxisValue, Expr, Guard, apply
from ..access import accesses, static
from ..nest import FOR, VECTOR, Acc, Accum, Let, Loop, Nest, Prefetch, Stmt, all_loads, map_body, statements
from ..target import LINE
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
    return record(nest, map_body(nest.body, lambda stmt: asked.get(id(stmt))), step)


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
    """The sum with requests; nothing where the next tile's epilogue does not go on where this one's ends, or lines do not lie at equal
    distances."""
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
    trips, over = -(-len(found) // each), place.sums.var
    line, start = LINE // kind.dtype.size, base + moved * tile.step
    along = Aff.of({over: each * distance}), Aff.of((trips - 1) * each * distance)
    last = static(kind.size - line - (trips * each - 1) * distance)
    if last is None or last < 0:  # an array may be shorter than what is asked for
        at, moving = _least(nest, over, start + along[0], Aff.of(0) + (kind.size - line))
        return (replace(place.sums, body=(*moving, *_asked(array, at, each, distance), *place.sums.body)),)
    if turning := _turning(place, index, tile):
        turned, told = _named(nest, over, apply("max", AxisValue(turning), AxisValue(Aff())), others=2)
        far = 2 * int(str(index.coefficient(tile.var))) * int(str(tile.extent)) // tile.step
        begin, first = _named(nest, over, apply("max", least(start + turned * -far, Aff.of(last)), AxisValue(Aff())))
        first = (*told, *first)
    else:
        begin, first = _least(nest, over, start, Aff.of(last))
    body = place.sums.body
    known = [(n, s.name) for n, s in enumerate(body, 1) if isinstance(s, Let) and s.index and s.expr == least(*along)]  # for another array
    at, moving = (Aff.of(known[0][1]), ()) if known else _least(nest, over, *along, others=1)
    there = known[0][0] if known else 0
    return *first, replace(place.sums, body=(*moving, *body[:there], *_asked(array, begin + at, each, distance), *body[there:]))


def _turning(place: _Place, index: Aff, tile: Loop) -> Aff | None:
    """Where panels are done from the last to the first: an index that is positive in the last tile of a panel, which the first of the panel
    before follows, and there the step of the tiles. None elsewhere, and where tiles do not fill panels."""
    panels = [loop for loop in place.around if loop.backwards]
    count = static(tile.extent)
    if len(panels) != 1 or count is None or count % tile.step or tile.back:
        return None
    if any(index.coefficient(loop.var) != 0 and loop.extent != loop.step for loop in place.around if loop not in (tile, panels[0])):
        return None
    whole = index.coefficient(panels[0].var) * panels[0].step == index.coefficient(tile.var) * count
    return Aff.of(tile.var) + (2 * tile.step - count) if whole else None


def _asked(array: str, first: Aff, count: int, distance: int) -> tuple[Stmt, ...]:
    return tuple(Prefetch(array, first + n * distance) for n in range(count))


def _of_the_next_panel(nest: Nest, place: _Place, array: str) -> tuple[Stmt, ...]:
    """The sum of tiles that ask, and that of others; nothing where the panels do not lie one after the other, each in one piece."""
    loads = dict.fromkeys(load for load in all_loads(place.sums.body) if load.array == array)
    kind, extent, over = nest.arrays.get(array), static(place.sums.extent), place.sums.var
    if len(loads) != 1 or kind is None or static(kind.size) is None or extent is None or not place.sums.plain:
        return ()
    (load,) = loads
    (index,), line = load.index, LINE // load.dtype.size
    row = index.coefficient(over)
    within = [s for s in place.sums.inside if isinstance(s, Loop)]
    panels = [loop for loop in place.around if index.coefficient(loop.back or loop.var) != 0 and loop.extent != loop.step]
    tiles = [loop for loop in place.around if panels and loop not in panels and place.around.index(loop) > place.around.index(panels[-1])
             and loop.extent != loop.step]
    if load.guards or not isinstance(row, int) or not panels or len(tiles) != 1 or any(loop.back for loop in panels):
        return ()
    if any(index.coefficient(a.var) * a.step != index.coefficient(b.var) * b.extent for a, b in pairwise(panels)):
        return ()  # of the panels of all cores
    (tile,), size, each = tiles, extent * row, extent * line
    if index.coefficient(panels[-1].var) * panels[-1].step != size or row != 1 + max(reached(index, [s for s in within if s.mode != FOR])):
        return ()
    start = index.substitute({over: Aff(), **{s.back or s.var: Aff() for s in within}}) + size
    asked = start + Aff.of({tile.back or tile.var: each // tile.step})
    begin, first = _least(nest, over, asked, start + (size - each), Aff.of(0) + (kind.size - each))
    before = -(-extent // tile.step)  # of the guard's index, for each row: a tile's trips come before those of the next
    number, end = Aff.of({over: 1, tile.var: before}), before * -(-size // each) * tile.step
    asking = replace(place.sums, where=Guard(number, 0, end), body=(Prefetch(array, begin + Aff.of({over: line})), *place.sums.body))
    return *first, asking, replace(place.sums, where=Guard(number, end, tile.extent * before + extent))


def _least(nest: Nest, over: str, *places: Aff, others: int = 0) -> tuple[Aff, tuple[Stmt, ...]]:
    """The first of these places by a name of its own, and what tells it: to look for a page that is not there can take longer than all the
    rest. `others`: names that are given at the same time."""
    return _named(nest, over, least(*places), others)


def _named(nest: Nest, over: str, place: Expr, others: int = 0) -> tuple[Aff, tuple[Stmt, ...]]:
    taken = {s.name for s in statements(nest.body) if isinstance(s, Let) and s.index}
    names = (f"{over}.m{n or ''}" for n in range(len(taken) + others + 1))
    name = [name for name in names if name not in taken][others]
    return Aff.of(name), (Let(name, place, index=True),)


def least(*places: Aff) -> Expr:
    """The least of these indices."""
    total: Expr = AxisValue(places[0])
    for place in places[1:]:
        total = apply("min", total, AxisValue(place))
    return total
