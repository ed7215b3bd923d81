"""next_panel: while tiles of a panel are summed, the panel that comes after it in memory is asked for, a line a trip.

    for i.o in 0..B step 8                       for i.o in 0..B step 8
      acc c                                        acc c
      for k in 0..784 { c += w[..] }      ->       index k.m = min(1568*i.o + 25088*j.panel + 25088, ...)
                                                   for k in 0..784 where 0 <= k + 98*i.o < 1568 { prefetch w[k.m + 16*k] ; c += w[..] }
                                                   for k in 0..784 where 1568 <= k + 98*i.o < ... { c += w[..] }

The first tile of a panel reads all of it from far away, the others from the second-level cache. As many tiles ask as it takes; those after
them sum in a loop of their own, where nobody asks. In the last of a core's panels nothing new is asked for: the next one is another core's,
which would have to take it back, line by line, when it updates it.
"""

from __future__ import annotations

from itertools import pairwise

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Guard
from ..access import static
from ..nest import FOR, Loop, Nest, Prefetch, Stmt, all_loads
from ..target import LINE
from .asking import Place, asking, first_of, places
from .foresee import reached


def next_panel(nest: Nest, array: str, over: str) -> Nest:
    """Asks in each trip of the sums over `over` for a line of the panel of the array that comes next."""
    return asking(nest, f"next_panel({array}, {over})", array, over, _of_the_next_panel)


def has_next_panel(nest: Nest, array: str, over: str) -> bool:
    """Whether there is something to ask for."""
    return any(_of_the_next_panel(nest, place, array) for place in places(nest.body) if place.sums.var == over)


def _of_the_next_panel(nest: Nest, place: Place, array: str) -> tuple[Stmt, ...]:
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
    bounds = [start + (size - each), Aff.of(0) + (kind.size - each)]
    if len(panels) > 1:  # those of a core
        bounds[1] = bounds[0].substitute({panels[-1].var: Aff() + (int(str(panels[-1].extent)) - 2 * panels[-1].step)})
    begin, first = first_of(nest, over, asked, *bounds)
    before = -(-extent // tile.step)  # of the guard's index, for each row: a tile's trips come before those of the next
    number, end = Aff.of({over: 1, tile.var: before}), before * -(-size // each) * tile.step
    asking = replace(place.sums, where=Guard(number, 0, end), body=(Prefetch(array, begin + Aff.of({over: line})), *place.sums.body))
    return *first, asking, replace(place.sums, where=Guard(number, end, tile.extent * before + extent))
