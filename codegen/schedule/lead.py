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

from collections.abc import Iterator
from dataclasses import replace

from ...ir.scalar import Aff, AxisValue, apply
from ..nest import FOR, UNROLL, Acc, Accum, Let, Loop, Nest, Prefetch, Stmt, all_loads, map_body
from .ahead import LINE
from .foresee import one_a_line, reached
from .loops import ScheduleError, record


def lead(nest: Nest, array: str, over: str, trips: int) -> Nest:
    """Asks in each trip of the sums over `over` for the lines of the array that `trips` trips later are loaded."""
    step = f"lead({array}, {over}, {trips})"
    asked = {id(loop) for loop, _ in tile_sums(nest.body) if loop.var == over and lines(loop, array)}
    if not asked:
        raise ScheduleError(f"{step}: no sum over {over} loads lines of {array} that move with it")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or id(stmt) not in asked:
            return None
        return (replace(stmt, body=(*_requests(nest, stmt, array, trips), *stmt.body)),)

    return record(nest, map_body(nest.body, change), step)


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


def lines(over: Loop, array: str) -> list[Aff]:
    """Where the lines begin that one trip of a sum loads of the array; none where the same line serves several trips."""
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
    return one_a_line(index.substitute(dict.fromkeys(inside, Aff())), sorted(reached(index, moving)), load.dtype.size)


def _requests(nest: Nest, over: Loop, array: str, trips: int) -> tuple[Stmt, ...]:
    """The first line by name, no further than the last of the array; the others beside it."""
    found = lines(over, array)
    later = found[0] + int(str(found[0].coefficient(over.var))) * over.step * trips
    apart = [int(str((line + found[0] * -1).const)) for line in found]
    kind = nest.arrays.get(array)
    if kind is None:  # private memory has more behind it
        return tuple(Prefetch(array, later + offset) for offset in apart)
    name = f"{over.var}.n{sum(isinstance(s, Let) for s in over.body) or ''}"
    place = Let(name, apply("min", AxisValue(later), AxisValue(Aff.of(0) + (kind.size - 1 - apart[-1]))), index=True)
    return place, *(Prefetch(array, Aff.of(name) + offset) for offset in apart)
