"""errand: while a tile sums, the thread asks for what it will do next, whatever that is.

    for k in 0..64                                        for k in 0..64
      each i.i<8, j.i.u<2, j.i.v:vec16          ->          errand 4, 1
        c add= x[...] * w[...]                              each i.i<8, j.i.u<2, j.i.v:vec16
                                                              c add= ...

Calls that go through the samples together take a few at a time. What the first of them reads of the next few comes from memory while
nothing is computed, and what the others compute leaves memory idle. So these ask for it meanwhile, a line in every so many trips, or a
few lines in each. Which lines is no part of a kernel: the runtime tells (see runtime/errands.py).
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.types import is_static
from ..nest import FOR, Errand, Loop, Nest, Stmt, map_body
from .lead import tile_sums
from .loops import ScheduleError, record

BETWEEN = 48  # vectors that are added up between two requests: lines come from memory no faster, and a dozen on their way hold up others
WORTH = 32  # vectors of a sum, below which it is over before it has asked for anything


def errand(nest: Nest, over: str, every: int, lines: int = 1) -> Nest:
    """Asks in one of `every` trips (a power of two) of the sums over `over` for the next lines of what the thread will do next."""
    step = f"errand({over}, {every})" if lines == 1 else f"errand({over}, {every}, {lines})"
    asked = {id(loop) for loop, _ in _sums(nest) if loop.var == over}
    if not asked or every < 1 or every & (every - 1):
        raise ScheduleError(f"{step}: no tile sums over {over} alone in a known number of trips, or {every} is no power of two")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (replace(stmt, body=(Errand(every, lines), *stmt.body)),) if isinstance(stmt, Loop) and id(stmt) in asked else None
    return record(nest, map_body(nest.body, change), step)


def errands(nest: Nest) -> dict[str, tuple[int, int]]:
    """The loops whose sums are long enough to ask for something, in one of how many trips each should, and for how many lines."""
    found: dict[str, tuple[int, int]] = {}
    largest: dict[str, int] = {}
    for loop, added in _sums(nest):
        if added * int(str(loop.extent)) // loop.step >= WORTH and added > largest.get(loop.var, 0):
            every, largest[loop.var] = 1, added
            while every * added < BETWEEN:
                every *= 2
            found[loop.var] = every, max(1, added // BETWEEN)
    return found


def _sums(nest: Nest) -> list[tuple[Loop, int]]:
    return [(loop, added) for loop, added in tile_sums(nest.body)
            if loop.mode == FOR and is_static(loop.extent) and int(str(loop.extent)) > loop.step and not (loop.clip or loop.where)
            and not any(isinstance(s, Errand) for s in loop.body)]
