"""foresee: while a tile is computed, what a later one is the first to read is on its way to the cache.

    for y in 0..16                                              for y in 0..16
      for g.o in 0..128 step 8                                    for g.o in 0..128 step 8
        acc s[g.v:vec8]                                             prefetch t[128*18*y + 128*18*3 + g.o], 2
        for ky in 0..3                                    ->        acc s[g.v:vec8]
          each g.v:vec8                                             for ky in 0..3
            s add= t[128*18*y + 128*18*ky + g.o + g.v] * w[...]       ...

`foresee(t, y, 1)` asks for what the trip after this one reads of t, and neither this one, nor those between, nor the last trips of the
loops around did. A window that slides over an image reads most of its rows a second or third time, from a near cache; the row that is
new comes from memory, in short pieces, which no processor sees as a stream.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from kcompile.common.struct import replace

from ...ir.scalar import Aff
from ..access import static
from ..nest import FOR, VECTOR, Acc, Accum, Loop, Nest, Prefetch, Stmt, Store, all_loads, all_stores, statements
from ..target import LINE
from .loops import ScheduleError, record

MOST = 24  # lines for a tile
FAR = 1024  # bytes ahead, from which on lines come to the second-level cache: a core can wait for more of them there than in the first


def foresee(nest: Nest, array: str, var: str, trips: int) -> Nest:
    """Asks for what is read of the array for the first time that many trips of the loop `var` later."""
    step = f"foresee({array}, {var}, {trips})"
    body = _with_requests(array, nest.body, (), var, trips)
    if body == nest.body:
        raise ScheduleError(f"{step}: no tile reads something else of {array} there, at places that are known")
    return record(nest, body, step)


def foreseeable(nest: Nest, array: str, var: str, trips: int) -> bool:
    """Whether there is something to ask for."""
    return _with_requests(array, nest.body, (), var, trips) != nest.body


def _with_requests(array: str, body: tuple[Stmt, ...], around: tuple[Loop, ...], var: str, trips: int) -> tuple[Stmt, ...]:
    """Requests stand before a tile that slides along the loop, or where the loop itself sums, at its head."""
    names = [loop.var for loop in around]
    begins = var in names and any(isinstance(s, Acc) for s in body)
    sums = bool(names) and names[-1] == var and not any(isinstance(s, Acc) for s in statements(body))
    if begins and any(s.array == array for s in all_stores(body)):
        return (*[Prefetch(array, index) for index in _stores(array, body, around[names.index(var)], trips)], *body)
    if begins or sums:
        return (*_first_reads(array, body, around, names.index(var), trips, begins), *body)
    return tuple([replace(s, body=_with_requests(array, s.body, (*around, s), var, trips)) if isinstance(s, Loop) and s.mode == FOR else s
                  for s in body])


def _stores(array: str, body: tuple[Stmt, ...], loop: Loop, trips: int) -> list[Aff]:
    """The indices at which a tile stores to an array that many trips of the loop later, a line each; none where that is not known."""
    stores = [s for s in all_stores(body) if s.array == array]
    if len(stores) != 1 or not isinstance(stores[0], Store):
        return []
    index, within = stores[0].index, {s.back or s.var: s for s in statements(body) if isinstance(s, Loop)}
    distance = moved_by(index, loop)
    offsets = reached(index, [s for var, s in within.items() if s.mode != VECTOR and index.coefficient(var) != 0])
    if not offsets or distance is None or distance <= 0:
        return []
    base = index.substitute(dict.fromkeys(within, Aff()))
    return one_a_line(base, sorted(o + trips * distance for o in offsets), stores[0].expr.dtype.size)


def _first_reads(array: str, body: tuple[Stmt, ...], around: tuple[Loop, ...], at: int, trips: int, slides: bool) -> list[Prefetch]:
    """Requests for what a tile reads first, `trips` trips of the loop around[at] later; none where that is not known or too much, or
    where a tile that should slide reads everything first."""
    sums = tuple([s for s in statements(body) if isinstance(s, Accum)])
    loads = [load for load in dict.fromkeys(all_loads(sums)) if load.array == array]
    if len(loads) != 1 or loads[0].guards:
        return []
    (index,) = loads[0].index
    within = {s.back or s.var: s for s in statements(body) if isinstance(s, Loop)}
    moving = [loop for var, loop in within.items() if loop.mode != VECTOR and index.coefficient(var) != 0]
    shifts = [moved_by(index, loop) for loop in around]
    distance = shifts[at]
    offsets = reached(index, moving)
    if not offsets or distance is None or distance <= 0:
        return []
    later = {o + trips * distance for o in offsets}
    read = {o + n * distance for o in offsets for n in range(trips)}
    if slides and later.isdisjoint(read):
        return []
    for shift in shifts[:at]:
        if shift is not None:
            read |= {o - shift for o in later}  # by the last trip of that loop, in the same place
    size = loads[0].dtype.size
    level = 2 if trips * distance * size >= FAR else 1
    return [Prefetch(array, i, level) for i in one_a_line(index.substitute(dict.fromkeys(within, Aff())), sorted(later - read), size)]


def one_a_line(base: Aff, offsets: Sequence[int], size: int, most: int = MOST) -> list[Aff]:
    """One place for each line that elements of that size at these offsets, in order, lie in; none where there are more than `most`."""
    lines: list[int] = []
    for offset in offsets:
        if not lines or offset - lines[-1] >= LINE // size:
            lines.append(offset)
    return [base + offset for offset in lines] if len(lines) <= most else []


def moved_by(index: Aff, loop: Loop) -> int | None:
    """By how much a trip of a loop moves an index; None where that is not known."""
    coefficient = index.coefficient(loop.back or loop.var)
    return coefficient * loop.step if isinstance(coefficient, int) else None


def reached(index: Aff, loops: Sequence[Loop]) -> frozenset[int]:
    """Where loops of known extent lead an index, from where it stands at their first trips."""
    legs: list[tuple[int, int, int, int]] = []
    for loop in loops:
        extent, coefficient = static(loop.extent), index.coefficient(loop.back or loop.var)
        if extent is None or not isinstance(coefficient, int):
            return frozenset()
        legs.append((coefficient, extent, loop.step, loop.last_whole if loop.back else extent))
    return _reached(tuple(legs))


@functools.lru_cache(maxsize=256)
def _reached(legs: tuple[tuple[int, int, int, int], ...]) -> frozenset[int]:
    """(what a trip counts for, the extent, the trips' step, the last trip's place) of each loop. It is asked again for each request of a
    tile, and thousands of places are added up."""
    found = {0}
    for coefficient, extent, step, last in legs:
        moves = {coefficient * min(n, last) for n in range(0, extent, step)}
        found = {offset + move for offset in found for move in moves}  # many meet, as windows overlap
    return frozenset(found)
