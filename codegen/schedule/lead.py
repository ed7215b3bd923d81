"""lead: in each trip of a tile's sum, the lines that it will load some trips later are asked for.

    for k in 0..784                                       for k in 0..784
      each i.i<8, j.i.u<2, j.i.v:vec16          ->      index k.n = min(512*k + j.o + 10240, ...)
        c add= x[784*i.i + k] * w[...]                      prefetch w[k.n]
                                                            prefetch w[k.n + 16]
                                                            each i.i<8, j.i.u<2, j.i.v:vec16
                                                              c add= ...

What a tile reads from the second-level cache, or from further away, the processor asks for too late by itself. Behind the end of a
sum lie as a rule the rows that the next one begins with. At the end of the array the last trips ask for its last lines again: to look for
a page that is not there can take longer than all the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kcompile.common.struct import replace

from ...ir.scalar import Aff, AxisValue, apply
from ..access import MANY, guess
from ..nest import FOR, UNROLL, Acc, Accum, Let, Loop, Nest, Prefetch, Stmt, all_loads, map_body, statements
from ..target import LINE
from .foresee import one_a_line, reached
from .loops import ScheduleError, record

MANY_SUMS = 4  # of which one may lose its requests


def lead(nest: Nest, array: str, over: str, trips: int, ends: str = "") -> Nest:
    """Asks in each trip of the sums over `over` for the lines of the array that `trips` trips later are loaded; where some add more terms
    in a trip than others, so many trips of those that add the fewest. With `ends` also for that in which a stretch ends, which may begin
    anywhere in a line."""
    step = f"lead({array}, {over}, {trips}{', ends' if ends else ''})"
    loops = leading(nest, array, over, bool(ends))
    asked = {id(loop) for loop in loops}
    if not asked:
        raise ScheduleError(f"{step}: no sum over {over} loads lines of {array} that move with it")

    fewest = min(loop.step for loop in loops)

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or id(stmt) not in asked:
            return None
        before, requests = _requests(nest, stmt, array, -(-trips * fewest // stmt.step), bool(ends))
        return *before, replace(stmt, body=(*requests, *stmt.body))

    return record(nest, map_body(nest.body, change), step)


def leading(nest: Nest, array: str, over: str, ends: bool) -> list[Loop]:
    """The sums over `over` that load lines of the array."""
    return [loop for loop, _ in tile_sums(nest.body) if loop.var == over and lines(nest, loop, array, ends)]


def tile_sums(body: tuple[Stmt, ...]) -> Iterator[tuple[Loop, int]]:
    """The innermost run-time loops of tiles, each with the number of vectors that a trip adds up."""
    for stmt in body:
        if isinstance(stmt, Loop) and stmt.mode == FOR:
            if any(isinstance(s, Acc) or (isinstance(s, Loop) and s.mode == FOR) for s in stmt.inside):
                yield from tile_sums(stmt.body)
            elif not stmt.back and (added := _added(stmt.body)):
                yield stmt, added


def _added(body: tuple[Stmt, ...]) -> int:
    return sum(_added(s.body) * (int(str(s.extent)) // s.step if s.mode == UNROLL else 1) if isinstance(s, Loop) else isinstance(s, Accum)
               for s in body)


def lines(nest: Nest, over: Loop, array: str, ends: bool = False) -> list[Aff]:
    """Where the lines begin that one trip of a sum loads of the array; none where the same line serves several trips. With `ends` the
    last place, too, of a stretch that may end in one line more."""
    inside = {s.back or s.var: s for s in over.inside if isinstance(s, Loop)}
    loads = {load for load in all_loads(tuple(s for s in over.inside if isinstance(s, Accum))) if load.array == array}
    if len(loads) != 1:
        return []
    (load,) = loads
    (index,) = load.index
    moved = index.coefficient(over.var)
    if load.guards or not isinstance(moved, int) or moved * over.step < LINE // load.dtype.size // 2:
        return []
    moving = [loop for var, loop in inside.items() if index.coefficient(var) != 0]
    base, offsets = index.substitute(dict.fromkeys(inside, Aff())), sorted(reached(index, moving))
    found = one_a_line(base, offsets, load.dtype.size)
    return [*found, base + offsets[-1]] if found and ends and _ends_in_another(nest, base, offsets, len(found), load.dtype.size) else found


def _ends_in_another(nest: Nest, base: Aff, offsets: list[int], count: int, size: int) -> bool:
    """Whether a stretch of elements from a place that moves with the loops may lie in more than `count` lines."""
    line = LINE // size
    steps = {s.var: s.step for s in statements(nest.body) if isinstance(s, Loop)}
    moves = [n * steps.get(var, 1) if isinstance(n, int) else 1 for var, n in base.terms]
    last = line - math.gcd(line, *moves, base.const if isinstance(base.const, int) else 1)
    return offsets[-1] - offsets[0] + 1 == len(offsets) and -(-(last + len(offsets)) // line) > count


def _requests(nest: Nest, over: Loop, array: str, trips: int, ends: bool) -> tuple[tuple[Stmt, ...], tuple[Stmt, ...]]:
    """What stands before the loop and what in each trip: the first line by name, no further than the last of the array; the others beside
    it. Where the array holds what many sums of known length take, all that a sum asks for is moved back at once, so that a trip has
    nothing to compare: only the last ones ask for nothing new."""
    found = lines(nest, over, array, ends)
    moved = int(str(found[0].coefficient(over.var))) * over.step
    later = found[0] + moved * trips
    apart = [int(str((line + found[0] * -1).const)) for line in found]
    kind = nest.arrays.get(array)
    if kind is None:  # private memory has more behind it
        return (), tuple(Prefetch(array, later + offset) for offset in apart)
    count = -(-over.extent // over.step) if isinstance(over.extent, int) and not over.clip else 0
    known = 0 < count * moved * MANY_SUMS <= guess(kind.size, MANY)
    last = kind.size - 1 - apart[-1] - (moved * (count - 1) if known else 0)
    first = later.substitute({over.var: Aff()}) if known else later
    name = f"{over.var}.n{sum(isinstance(s, Prefetch) for s in over.body) or ''}"
    place = Let(name, apply("min", AxisValue(first), AxisValue(Aff.of(0) + last)), index=True)
    here = Aff.of({name: 1, over.var: moved // over.step} if known else name)
    requests = tuple(Prefetch(array, here + offset) for offset in apart)
    return ((place,), requests) if known else ((), (place, *requests))
