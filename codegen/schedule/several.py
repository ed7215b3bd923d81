"""several: a trip of a tile's sum adds several terms, one after the other.

    several(k, 4)
        for k in 0..99                                    for k in 0..96 step 4
          each i<8, j.u<2, j.v:vec16                ->      each k.t<4, i<8, j.u<2, j.v:vec16
            c add= x[784*i + k] * w[512*k + ...]              c add= x[784*i + k + k.t] * w[512*k + 512*k.t + ...]
                                                          each k.t<3, i<8, j.u<2, j.v:vec16
                                                            c add= x[784*i + k.t + 96] * w[512*k.t + ... + 49152]

All terms may be one trip. The terms keep their order. What counts the trips takes few of the places where vectors could begin, and a
load of each term steps as far as several of them: the processor asks for what comes next that much earlier.
"""

from __future__ import annotations

from kcompile.ir.struct import replace

from ...ir.scalar import Aff
from ..nest import FOR, UNROLL, Accum, Loop, Nest, Stmt, map_body, substitute
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

        def terms(first: Aff, number: int) -> Loop:
            return Loop(name, number, substitute(stmt.body, {over: first + Aff.of(name)}), mode=UNROLL)

        rest = (terms(Aff.of({}, whole), extent - whole),) if whole < extent else ()
        return replace(stmt, extent=whole, step=count, body=(terms(Aff.of(over), count),)), *rest

    return record(nest, map_body(nest.body, change), step)


def can_have_several(loop: Loop, count: int) -> bool:
    """Whether a loop does at least two trips of so many terms, or one of all, and nothing beside."""
    return loop.plain and isinstance(loop.extent, int) and (loop.extent >= 2 * count or loop.extent == count) \
        and all(isinstance(s, Accum) or (isinstance(s, Loop) and s.mode != FOR) for s in loop.inside)
