"""oncoming: while a tile of a row of an image is summed, what the tile below is the first to read is asked for, some lines in each trip.

    for y in 0..30                                    for y in 0..30
      for x.o in 0..30 step 15                          for x.o in 0..30 step 15
        acc s[x.i<15, c.v:vec16]                          acc s[x.i<15, c.v:vec16]
        for ky in 0..3                          ->        for ky in 0..3
          for c.o in 0..64 step 16                          for c.o in 0..64 step 16
            each x.i<15, c.v:vec16                            prefetch t[2048*y + 320*ky + 5*c.o + 64*x.o + 6144]
              s add= t[...] * w[...]                          ...
                                                              each x.i<15, c.v:vec16
                                                                s add= t[...] * w[...]

As `foresee`, for tiles that take many lines: all of them before the sum would hold up its loads.
"""

from __future__ import annotations

import math
from itertools import pairwise

from kcompile.common.struct import replace, struct

from ...ir.scalar import Aff
from ..nest import FOR, VECTOR, Acc, Accum, Loop, Nest, Prefetch, Stmt, all_loads, map_body, statements
from .foresee import moved_by, one_a_line, reached
from .loops import record, refuse

MOST = 128  # lines of a tile
PRODUCTS = 7  # of a trip for each line that it asks for


@struct(frozen=True)
class _Oncoming:
    """The innermost loop of a tile's sum, and what each trip of it asks for."""

    over: Loop
    requests: tuple[Prefetch, ...]


def oncoming(nest: Nest, array: str, row: str) -> Nest:
    """Lets each trip of the sums of tiles ask for its share of the lines that the next trip of the loop `row` is the first to read."""
    step = f"oncoming({array}, {row})"
    tiles = _tiles(array, row, nest.body, ())
    refuse(step, _against(tiles, array, row))
    found = {id(x.over): x for x in tiles}

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        x = found.get(id(stmt))
        return (replace(x.over, body=(*x.requests, *x.over.body)),) if x else None

    return record(nest, map_body(nest.body, change), step)


def why_not_oncoming(nest: Nest, array: str, row: str) -> str:
    """What stands against `oncoming`; '' for nothing."""
    return _against(_tiles(array, row, nest.body, ()), array, row)


def _against(tiles: list[_Oncoming], array: str, row: str) -> str:
    return "" if tiles else f"no tile inside {row} reads lines of {array} that the tile before has not read, few in each trip"


def _tiles(array: str, row: str, body: tuple[Stmt, ...], around: tuple[Loop, ...]) -> list[_Oncoming]:
    out: list[_Oncoming] = []
    for stmt in body:
        if not isinstance(stmt, Loop) or stmt.mode != FOR:
            continue
        if any(isinstance(s, Acc) for s in stmt.inside):
            out += _tiles(array, row, stmt.body, (*around, stmt))
        elif any(loop.var == row for loop in around) and any(isinstance(s, Accum) for s in stmt.inside):
            out += [x for x in [_of_a_tile(array, row, stmt, around)] if x]
    return out


def _of_a_tile(array: str, row: str, outer: Loop, around: tuple[Loop, ...]) -> _Oncoming | None:
    sums = [outer]
    while len(sums[-1].body) == 1 and isinstance(sums[-1].body[0], Loop) and sums[-1].body[0].mode == FOR:
        sums.append(sums[-1].body[0])
    over = sums[-1]
    loads = {load for load in all_loads(tuple(s for s in over.inside if isinstance(s, Accum))) if load.array == array}
    known = all(loop.mode == FOR and isinstance(loop.extent, int) and not loop.clip and not loop.back for loop in sums)
    if len(loads) != 1 or not known or any(isinstance(s, Loop) and s.mode == FOR for s in over.inside):
        return None
    (load,) = loads
    (index,) = load.index
    within = {s.var: s for s in statements((outer,)) if isinstance(s, Loop)}
    offsets = reached(index, [s for var, s in within.items() if s.mode != VECTOR and index.coefficient(var) != 0])
    at = next(n for n, loop in enumerate(around) if loop.var == row)
    shifts = [moved_by(index, loop) for loop in around]
    below = shifts[at]
    if below is None or below <= 0 or offsets.isdisjoint(o + below for o in offsets):
        return None  # nothing slides
    beside = {o + below - n for n in shifts[at + 1:] if n for o in offsets}  # by the tile before it in its row
    new = {o + below for o in offsets} - offsets - beside
    base = index.substitute(dict.fromkeys(within, Aff()))
    lines = one_a_line(base, sorted(new), load.dtype.size, MOST)
    return _shared_out(array, lines, sums)


def _shared_out(array: str, lines: list[Aff], sums: list[Loop]) -> _Oncoming | None:
    """The requests of a trip: lines evenly apart, so many that all trips together ask for all of them; None where these are too many."""
    trips = [-(-int(str(loop.extent)) // loop.step) for loop in sums]
    products = sum(isinstance(s, Accum) for s in sums[-1].inside) * math.prod(
        int(str(s.extent)) // s.step for s in sums[-1].inside if isinstance(s, Loop) and s.mode != VECTOR)
    apart = {int(str((b + a * -1).const)) for a, b in pairwise(lines)}
    if len(apart) != 1:
        return None
    (distance,) = apart
    least = -(-len(lines) // math.prod(trips))
    for each in range(least, products // PRODUCTS + 1):
        moves = [each * distance * math.prod(trips[n + 1:]) for n in range(len(sums))]
        if not any(move % loop.step for move, loop in zip(moves, sums, strict=True)):
            break
    else:
        return None
    here = lines[0] + Aff.of({loop.var: move // loop.step for move, loop in zip(moves, sums, strict=True)})
    return _Oncoming(sums[-1], tuple(Prefetch(array, here + distance * n) for n in range(each)))
