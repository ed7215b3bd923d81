"""A step that lets the shares of threads end between any trips of a loop of which several are done at once: takes.

    takes(j.o, j.i)   parallel for j.o in 0..16 step 8
                        for i.o { copy what all panels read of it
                                  for j.i in 0..8 { panel } }
                      ->
                      parallel for j.o in 0..16 takes j.o.n up to 8
                        for i.o { copy what all panels read of it
                                  for j.i in 0..8 if j.i < j.o.n { panel } }

Something is done for so many panels at once; where each thread has few times so many, these are too coarse for shares that follow from how
fast threads are. So a panel is a trip, and a thread takes as many of its trips at once as it did: where shares are equal, nothing has
changed.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff
from ..access import chain, static
from ..nest import FOR, Clip, Loop, Nest, Stmt, loops, map_body
from .loops import record, refuse


def takes(nest: Nest, var: str, inner: str) -> Nest:
    """Makes the trips of the loops over `inner`, inside the shared loop `var`, what threads share; as many as before are done at once."""
    step = f"takes({var}, {inner})"
    refuse(step, why_not_takes(nest, var, inner))
    (outer,), size = loops(nest, var), loops(nest, inner)[0].step
    many = f"{var}.n"
    below = Clip(Aff.of({many: -1}), 0)

    def told(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or stmt.var != inner:
            return None
        return (replace(stmt, clip=below),)
    whole = replace(outer, step=size, takes=many, most=outer.step, body=map_body(outer.body, told))
    return record(nest, map_body(nest.body, lambda stmt: (whole,) if stmt is outer else None), step)


def why_not_takes(nest: Nest, var: str, inner: str) -> str:
    """What stands against `takes`; '' for nothing."""
    found = loops(nest, var)
    shared = [loop for loop in chain(nest.body) if loop.parallel]
    if len(found) != 1 or found != shared[-1:] or found[0].takes or found[0].clip or found[0].where or found[0].back:
        return f"{var} is not the innermost loop that threads share"
    trips, extent = loops(nest, inner), static(found[0].extent)
    all_of_it = found[0].step, trips[0].step if trips else 0
    if not trips or any(s.mode != FOR or s.clip or s.where or s.back or (s.extent, s.step) != all_of_it for s in trips):
        return f"the loops over {inner} inside {var} are not over all that it steps over"
    if extent is None or extent % trips[0].step or found[0].step % trips[0].step:
        return f"{extent} trips of {var} are no multiple of {trips[0].step}"
    return ""
