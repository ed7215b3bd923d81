"""chains: last tiles with few sums add up each tap by itself, so that no sum waits for the one before.

    chains(x.i, kx, 4)
        acc s[x.i<4, o.v:vec8] folded o.v                    acc s[x.i<4, kx<3, o.v:vec8] folded o.v, kx
        for o.o in 0..32 step 8                        ->    for o.o in 0..32 step 8
          each x.i<4, o.v:vec8, kx<3                           each x.i<4, o.v:vec8, kx<3
            s add= t[x.i + kx, ..] * w[kx, ..]                   s add= t[x.i + kx, ..] * w[kx, ..]
        fold s over o.v                                      fold s over kx, o.v

A row whose taps are written out is three additions in each trip, one after the other: eight rows just hide what these take, four leave half
of the places empty.
"""

from __future__ import annotations

import math
from functools import partial

from kcompile.common.struct import replace

from ..nest import UNROLL, Acc, AccDim, Fold, Loop, Nest, Stmt, map_body, statements
from .loops import record, refuse


def chains(nest: Nest, rows: str, over: str, most: int) -> Nest:
    """Gives tiles of at most so many of the unrolled loop `rows` sums for each trip of the unrolled loop `over`, which are folded."""
    step = f"chains({rows}, {over}, {most})"
    refuse(step, why_not_chains(nest, rows, over, most))
    return record(nest, _split(nest.body, rows, over, most), step)


def why_not_chains(nest: Nest, rows: str, over: str, most: int) -> str:
    """What stands against `chains`; '' for nothing."""
    changed = _split(nest.body, rows, over, most) != nest.body
    return "" if changed else f"no sums of at most {most} of {rows} are cut into lanes, with {over} written out"


def _split(body: tuple[Stmt, ...], rows: str, over: str, most: int) -> tuple[Stmt, ...]:
    out: list[Stmt] = []
    split = ""  # the sums of the tile that has begun
    for n, stmt in enumerate(body):
        if isinstance(stmt, Acc):
            trips = next((s.extent for s in statements(body[n + 1:n + 2]) if isinstance(s, Loop) and s.var == over and s.mode == UNROLL), 1)
            count = math.prod(d.extent for d in stmt.dims if not d.vector)
            whole = any(d.vector and d.var in stmt.folded for d in stmt.dims) and all(d.vector or d.var == rows for d in stmt.dims)
            split = stmt.name if whole and isinstance(trips, int) and trips > 1 and count <= most else ""
            if split:
                at = next(n for n, d in enumerate(stmt.dims) if d.vector)
                dims = (*stmt.dims[:at], AccDim(over, int(str(trips)), False), *stmt.dims[at:])
                stmt = replace(stmt, dims=dims, folded=(*stmt.folded, over))
        elif isinstance(stmt, Loop) and any(isinstance(s, Acc) for s in stmt.inside):
            stmt = replace(stmt, body=_split(stmt.body, rows, over, most))
        elif split:
            (stmt,) = map_body((stmt,), partial(_folded, split, over))
        out.append(stmt)
    return tuple(out)


def _folded(source: str, over: str, stmt: Stmt) -> tuple[Stmt, ...] | None:
    return (replace(stmt, over=(over, *stmt.over)),) if isinstance(stmt, Fold) and stmt.source == source else None
