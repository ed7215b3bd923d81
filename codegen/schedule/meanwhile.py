"""meanwhile: while the tiles of a block sum, what the next block reads is asked for, a line or a few in each trip.

    meanwhile(n.o)  for n.o.b { for j.o { acc c ; for n.o step 64 { for n.i step 4 { c += x[..] * d[..] } } ; sums[..] = c } }
                    ->  for n.o.b
                          for j.o
                            acc c
                            index x.n = min(where the next block begins, the last place to begin at)
                            for n.o step 64 { for n.i step 4 { prefetch x[x.n + ..] ; c += x[..] * d[..] } }
                            sums[..] = c

A dozen requests before each sum (`ahead`) queue up before the loads that come after them. A trip that adds several terms has room for one,
and what comes from far away then arrives as evenly as it is used. A block is one stretch of memory of each operand; a tile takes its
share of it, which trips that are short of lines ask for again.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcompile.common.struct import replace

from ...ir.scalar import Aff, AxisValue, Load, apply
from ..access import chain
from ..nest import FOR, Let, Loop, Nest, Prefetch, Stmt, loops, map_body, statements
from ..target import LINE
from .ahead import moving, share
from .lead import tile_sums
from .loops import ScheduleError, record


def meanwhile(nest: Nest, over: str) -> Nest:
    """Adds the requests to the tiles of a sum that `block` has cut along `over`, in the innermost loop of each."""
    step = f"meanwhile({over})"
    found = [loop for loop in loops(nest, f"{over}.b") if any(True for _ in trickling(loop, over))]
    if len(found) != 1:
        raise ScheduleError(f"{step}: no tile of a block of {over} sums in one loop of known length inside it")
    (blocks,) = found
    own = [loop for loop in chain(blocks.body) if not loop.var.endswith(".c")]  # of one core

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or stmt.var != over:
            return None
        (inner,) = trickling(stmt, over)
        before, asked = [], []
        for load in moving(stmt):
            place, requests = _of_array(nest, blocks, stmt, inner, own, load)
            before.append(place)
            asked += requests
        body = map_body(stmt.body, lambda s: (replace(s, body=(*asked, *s.body)),) if s is inner and isinstance(s, Loop) else None)
        return *before, replace(stmt, body=body)

    return record(nest, tuple(replace(s, body=map_body(s.body, change)) if s is blocks else s for s in nest.body), step)


def trickling(blocks: Loop, over: str) -> Iterator[Loop]:
    """The innermost loops of the tiles of a block, where each is the only one inside the loop that `block` has cut."""
    for sums in (s for s in (blocks, *statements(blocks.body)) if isinstance(s, Loop) and s.var == over):
        inside = [s for s in sums.inside if isinstance(s, Loop) and s.mode == FOR]
        if len(inside) == 1 and inside[0] in sums.body and [loop for loop, _ in tile_sums((sums,))] == inside:
            yield inside[0]


def _of_array(nest: Nest, blocks: Loop, sums: Loop, inner: Loop, own: list[Loop], load: Load) -> tuple[Stmt, list[Stmt]]:
    """Where a tile's requests for an array begin, and those of a trip."""
    (index,), line = load.index, LINE // load.dtype.size
    stride, name = int(str(index.coefficient(sums.var))), f"{load.array}.n"
    at, elements = share(own, stride * blocks.step, 1)
    part, done = sums.step, -(-int(str(inner.extent)) // inner.step) * inner.step  # of a part some terms may be left, which ask for nothing
    term = -(-elements // blocks.step)
    each = -(-term * part // done)
    start = (index + index.coefficient(blocks.var) * blocks.step).substitute(dict.fromkeys(index.variables - {blocks.var}, Aff()))
    apart = range(0, each * inner.step, line)
    last = Aff.of({sums.var: term, inner.var: each}, apart[-1]) + at
    ends = {x.var: (int(str(x.extent)) - 1) // x.step * x.step for x in (*own, sums, inner)}
    most = sum(int(str(n)) * ends[v] for v, n in last.terms)
    end = nest.arrays[load.array].size + -(1 + apart[-1] + most)
    place = apply("min", AxisValue(start), AxisValue(Aff.of(0) + end))
    return Let(name, place, index=True), [Prefetch(load.array, last + Aff.of({name: 1}, n - apart[-1])) for n in apart]
