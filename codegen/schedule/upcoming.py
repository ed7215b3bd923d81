"""upcoming: while the tiles of a sample are summed, the next sample of an array is asked for, line by line.

    for n in 0..B                                     for n in 0..B
      for x.o in 0..10 step 5                           for x.o in 0..10 step 5
        acc s[x.i<5, c.v:vec16]                           acc s[x.i<5, c.v:vec16]
        for ky in 0..3                          ->        index ky.m = min(n + 1, B - 1)
          for k in 0..48                                  for ky in 0..3
            each x.i<5, c.v:vec16                           for k in 0..48
              s add= t[...] * w[...]                          prefetch t[2304*ky.m + 230*x.o + 384*ky + 8*k], 2
                                                              each x.i<5, c.v:vec16
                                                                s add= t[...] * w[...]

The first tile of a small image meets all of its lines, a pixel or a row apart, and waits for a far cache while the other tiles leave that
idle. A sample is one stretch of memory, of which every trip of every tile asks for an equal share: which lines a tile will read, and
when, does not matter.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from kcompile.common.struct import replace, struct

from ...ir.scalar import Aff
from ...ir.types import Dim, evaluate_dim
from ..nest import FOR, Acc, Accum, Loop, Nest, Prefetch, Stmt, all_loads, map_body
from ..target import LINE
from .asking import least, named
from .lead import tile_sums
from .loops import ScheduleError, record

PRODUCTS = 7  # of a trip for each line that it asks for
AT_ONCE = 8  # lines at most that are asked for before a loop inside a sum
FAR = 2  # the level of the cache that lines come to: they are read in some thousand cycles


@struct(frozen=True)
class Upcoming:
    """What tiles ask for of the next sample: for each tile the loops of its sum (`sums`, outermost first), the one whose trips ask, how
    many lines each, and how far the first of these moves with each of the loops; `size`: elements of a sample, `span`: of the part of it
    in which a tile reads, `products`: vectors that are added for a line of it."""

    sums: tuple[tuple[Loop, ...], ...]
    level: int
    each: int
    moves: dict[str, int]
    size: int
    span: int
    products: float


def upcoming(nest: Nest, array: str, var: str) -> Nest:
    """Lets the tiles inside the loop `var` over samples ask for the sample of the array that comes next."""
    step = f"upcoming({array}, {var})"
    found = next_sample(nest, array, var)
    if found is None:
        raise ScheduleError(f"{step}: no tiles inside {var}, all in the same loops, read a sample of {array} in each trip of it")
    (samples,) = (s for s in nest.body if isinstance(s, Loop) and s.var == var)
    outer = {id(sums[0]) for sums in found.sums}
    asks = {id(sums[found.level]) for sums in found.sums}
    later = least(Aff.of(var) + 1, Aff.of(0) + samples.extent + -1)
    over = found.sums[0][0].var
    name, before = named(nest, over, later)
    first = name * found.size + Aff.of(found.moves)
    here = LINE // nest.arrays[array].dtype.size
    requests = tuple(Prefetch(array, first + n * here, FAR) for n in range(found.each))

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        asking = replace(stmt, body=(*requests, *stmt.body)) if isinstance(stmt, Loop) and id(stmt) in asks else stmt
        if id(stmt) not in outer or not isinstance(asking, Loop):
            return (asking,) if asking is not stmt else None
        return *before, asking if asking is not stmt else replace(stmt, body=map_body(stmt.body, change))

    return record(nest, map_body(nest.body, change), step)


def next_sample(nest: Nest, array: str, var: str) -> Upcoming | None:
    """What is asked for, if tiles inside the loop read a sample of the array in each of its trips."""
    kind = nest.arrays.get(array)
    samples = [s for s in nest.body if isinstance(s, Loop) and s.var == var]
    if kind is None or not isinstance(kind.size, Dim) or len(samples) != 1 or samples[0].step != 1 or samples[0].clip:
        return None
    tiles = list(_tiles(samples[0].body, ()))
    ways = [(*around, *sums) for around, sums in tiles]
    if len({tuple((loop.var, loop.extent, loop.step) for loop in way) for way in ways}) != 1:
        return None
    size, span = evaluate_dim(kind.size, dict.fromkeys(kind.symbols, 1)), 0
    for _, sums in tiles:
        loads = [load for load in all_loads(tuple(s for s in sums[0].inside if isinstance(s, Accum))) if load.array == array]
        if not loads or any(load.index[0].coefficient(var) != size for load in loads):
            return None
        span = max(span, *(_span(load.index[0], sums[0]) for load in loads))
    added = max((vectors for _, vectors in tile_sums(samples[0].body)), default=0)
    trips = [-(-int(str(loop.extent)) // loop.step) for loop in ways[0]]
    lines = -(-size // (LINE // kind.dtype.size))
    best: Upcoming | None = None
    for level in range(len(tiles[0][1])):
        depth = len(tiles[0][0]) + level + 1
        each = _each(ways[0][:depth], size, kind.dtype.size)
        inside = math.prod(trips[depth:])
        if each and each[0] <= min(AT_ONCE, added * inside // PRODUCTS) and (
                best is None or each[0] * math.prod(trips[:depth]) <= best.each * math.prod(trips[:len(tiles[0][0]) + best.level + 1])):
            best = Upcoming(tuple(sums for _, sums in tiles), level, *each, size, span, added * math.prod(trips) / lines)
    return best


def _tiles(body: tuple[Stmt, ...], around: tuple[Loop, ...]) -> Iterator[tuple[tuple[Loop, ...], tuple[Loop, ...]]]:
    """The loops around each tile, but those that are there for the sake of their condition alone, and those of its sum."""
    for stmt in body:
        if not isinstance(stmt, Loop) or stmt.mode != FOR:
            continue
        if any(isinstance(s, Acc) for s in stmt.inside):
            yield from _tiles(stmt.body, around if stmt.clip and stmt.extent == 1 else (*around, stmt))
        elif any(isinstance(s, Accum) for s in stmt.inside):
            sums = [stmt]
            while len(inner := [s for s in sums[-1].body if isinstance(s, Loop) and s.mode == FOR]) == 1:
                sums += inner
            yield around, tuple(sums)


def _span(index: Aff, sums: Loop) -> int:
    """Elements from the first that a tile reads to the last."""
    moves = [(index.coefficient(loop.var), loop.extent, loop.step) for loop in (sums, *sums.inside) if isinstance(loop, Loop)]
    return sum(abs(n) * (extent - step) for n, extent, step in moves if isinstance(n, int) and isinstance(extent, int))


def _each(loops: tuple[Loop, ...], size: int, item: int) -> tuple[int, dict[str, int]] | None:
    """How many lines a trip of the innermost loop asks for, and how far it moves with each of the loops, where all trips have equal shares
    of so many elements."""
    here, share, moves = LINE // item, size, {}
    for n, loop in enumerate(loops):
        if not isinstance(loop.extent, int) or (loop.clip and loop.extent != 1) or loop.where:
            return None
        part = -(-share // -(-loop.extent // loop.step))
        last = n == len(loops) - 1
        each = -(-part // here)
        share = -(-part // loop.step) * loop.step
        if last and share > each * here:  # whole steps would take one more line in each trip
            share -= loop.step
        moves[loop.var] = share // loop.step
    return (each, moves) if all(moves.values()) else None
