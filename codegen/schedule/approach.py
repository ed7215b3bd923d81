"""approach: while a tile is summed, what the next tile's epilogue meets is asked for.

    for i.o in 0..784 step 14                            for i.o in 0..784 step 14
      acc c                                                acc c
                                                           index n.m = min(32*i.o + 448, ...)
      for n in 0..B { c += ... }                   ->      for n in 0..B { index n.m1 = min(16*n, 432) ; prefetch m[n.m + n.m1] ; c += ... }
      for i.i<14 { m[32*i.o + 32*i.i + ..] = ... }         for i.i<14 { ... }

What the epilogue reads or writes of an array, a line a trip. A gradient that an optimizer applies at once is a short sum; the weight and
its slots would be waited for while nothing is summed, and the sums would leave memory idle. The trips that are left of a long sum ask for
the last line again: what more they would ask for fills the first-level cache before its time.
"""

from __future__ import annotations

from itertools import pairwise

from kcompile.common.struct import replace

from ...ir.scalar import Aff, AxisValue, apply
from ..access import accesses, static
from ..nest import VECTOR, Let, Loop, Nest, Prefetch, Stmt, statements
from ..target import LINE
from .asking import Place, asking, first_of, least, named, places
from .foresee import one_a_line, reached

TRIPS = 32  # of a sum whose length is not known: in so many all lines are asked for


def approach(nest: Nest, array: str, over: str) -> Nest:
    """Asks in each trip of the sums over `over` for lines of the array that the epilogue of the next tile meets."""
    return asking(nest, f"approach({array}, {over})", array, over, _of_the_next_tile)


def approachable(nest: Nest, array: str, over: str) -> bool:
    """Whether there is something to ask for."""
    return any(_of_the_next_tile(nest, place, array) for place in places(nest.body) if place.sums.var == over)


def _of_the_next_tile(nest: Nest, place: Place, array: str) -> tuple[Stmt, ...]:
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
        at, moving = first_of(nest, over, start + along[0], Aff.of(0) + (kind.size - line))
        return (replace(place.sums, body=(*moving, *_asked(array, at, each, distance), *place.sums.body)),)
    if turning := _turning(place, index, tile):
        turned, told = named(nest, over, apply("max", AxisValue(turning), AxisValue(Aff())), others=2)
        far = 2 * int(str(index.coefficient(tile.var))) * int(str(tile.extent)) // tile.step
        begin, first = named(nest, over, apply("max", least(start + turned * -far, Aff.of(last)), AxisValue(Aff())))
        first = (*told, *first)
    else:
        begin, first = first_of(nest, over, start, Aff.of(last))
    body = place.sums.body
    known = [(n, s.name) for n, s in enumerate(body, 1) if isinstance(s, Let) and s.index and s.expr == least(*along)]  # for another array
    at, moving = (Aff.of(known[0][1]), ()) if known else first_of(nest, over, *along, others=1)
    there = known[0][0] if known else 0
    return *first, replace(place.sums, body=(*moving, *body[:there], *_asked(array, begin + at, each, distance), *body[there:]))


def _turning(place: Place, index: Aff, tile: Loop) -> Aff | None:
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
