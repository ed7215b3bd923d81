"""several: a trip of a tile's sum adds several terms, one after the other.

    several(k, 4)
        for k in 0..99                                    for k in 0..96 step 4
          each i<8, j.u<2, j.v:vec16                ->      each k.t<4, i<8, j.u<2, j.v:vec16
            c add= x[784*i + k] * w[512*k + ...]              c add= x[784*i + k + k.t] * w[512*k + 512*k.t + ...]
                                                          each k.t<3, i<8, j.u<2, j.v:vec16
                                                            c add= x[784*i + k.t + 96] * w[512*k.t + ... + 49152]

All terms may be one trip. The terms keep their order. What counts the trips takes few of the places where vectors could begin, and a
load of each term steps as far as several of them: the processor asks for what comes next that much earlier. What the trips of one term
ask for is asked for once a line.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcompile.common.struct import replace

from ...ir.scalar import Aff
from ..nest import FOR, UNROLL, Accum, Loop, Nest, Prefetch, Stmt, map_body, substitute
from ..target import LINE
from .lead import tile_sums
from .loops import ScheduleError, record


def several(nest: Nest, over: str, count: int) -> Nest:
    """Writes out `count` terms in each trip of the innermost loops of tiles that sum over `over`, and after them those that are left."""
    step = f"several({over}, {count})"
    found = {id(loop) for loop, _ in tile_sums(nest.body) if loop.var == over and can_have_several(loop, count)}
    if not found or count < 2:
        raise ScheduleError(f"{step}: no tile's innermost sum is a plain loop over {count}, or {2 * count} or more, of {over} alone")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or id(stmt) not in found:
            return None
        extent, name = int(str(stmt.extent)), f"{over}.t"
        whole = extent // count * count

        requests = [s for s in stmt.body if isinstance(s, Prefetch)]
        products = tuple(s for s in stmt.body if s not in requests)

        def terms(first: Aff, number: int) -> Loop:
            return Loop(name, number, substitute(products, {over: first + Aff.of(name)}), mode=UNROLL)

        rest = (terms(Aff.of({}, whole), extent - whole),) if whole < extent else ()
        asked = tuple(line for ask in requests for line in _lines(ask, over, count, nest.dtype_of(ask.array).size))
        return replace(stmt, extent=whole, step=count, body=(*asked, terms(Aff.of(over), count))), *rest

    return record(nest, map_body(nest.body, change), step)


def _lines(ask: Prefetch, over: str, count: int, size: int) -> Iterator[Prefetch]:
    """The requests of so many trips, but for those whose line an earlier or a later one asks for, too."""
    moved = ask.index.coefficient(over)
    assert isinstance(moved, int)
    asked = 0
    for n in range(count):
        if n == 0 or ((n + 1) * moved - asked) * size > LINE:
            asked = n * moved
            yield replace(ask, index=ask.index + asked)


def can_have_several(loop: Loop, count: int) -> bool:
    """Whether a loop does at least two trips of so many terms, or one of all, and nothing beside."""
    return loop.plain and isinstance(loop.extent, int) and (loop.extent >= 2 * count or loop.extent == count) \
        and all(isinstance(s, Accum) or (isinstance(s, Loop) and s.mode != FOR) or _plain_request(s, loop) for s in loop.inside)


def asks(loop: Loop) -> bool:
    """Whether trips of a loop ask for memory."""
    return any(isinstance(s, Prefetch) for s in loop.inside)


def _plain_request(stmt: Stmt, loop: Loop) -> bool:
    return isinstance(stmt, Prefetch) and stmt in loop.body and isinstance(n := stmt.index.coefficient(loop.var), int) and n >= 0
