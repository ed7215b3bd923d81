"""prefetch: while a tile is computed, the rows that the next tile reads are on their way to the cache.

    for i.o in 0..B step 6                                      for i.o in 0..B step 6
      for k in 0..144                                     ->      index i.p = max(min(index(i.o + 6), index([B] - 6)), 0)
        each i.i<6, j.v:vec8                                      for k in 0..144
          c add= x[k + 144*i.i + 144*i.o] * w[...]                  prefetch x[6*k + 144*i.p]
                                                                    each i.i<6, j.v:vec8
                                                                      c add= x[k + 144*i.i + 144*i.o] * w[...]

The rows of a tile lie one after the other, so that one address, as many times as fast as there are rows, covers all of them; lines
are asked for several times. By themselves processors follow a stream or two in a page, not six. (Convolutions, whose rows overlap, read
the same lines so often that they gain nothing.) The last tile asks for its own rows: to look for a page that is not there can take longer
than all the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from kcompile.common.struct import replace, struct

from ...ir.scalar import Aff, AxisValue, Const, Load, apply
from ...ir.types import i64
from ..access import static
from ..nest import FOR, UNROLL, Accum, Let, Loop, Nest, Prefetch, Stmt, all_loads, map_body, statements
from .loops import ScheduleError, record


@struct(frozen=True)
class Stream:
    """The loop that sums, what to ask for in each of its trips, and where the rows of the next tile begin."""

    loop: Loop
    array: str
    index: Aff
    following: Let


def prefetch(nest: Nest, array: str, over: str) -> Nest:
    """Asks in each trip of the loops over `over` for a line of what the next tile reads of the array."""
    step = f"prefetch({array}, {over})"
    asked = {id(stream.loop): stream for stream in streams(nest) if stream.array == array and stream.loop.var == over}
    if not asked:
        raise ScheduleError(f"{step}: no tile reads rows of {array} that lie one after the other, summing over {over}")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        stream = asked.get(id(stmt))
        if stream is None:
            return None
        return stream.following, replace(stream.loop, body=(Prefetch(array, stream.index), *stream.loop.body))

    return record(nest, map_body(nest.body, change), step)


def streams(nest: Nest) -> Iterator[Stream]:
    """Every load of a tile that could be asked for ahead, once for each loop that sums."""
    yield from _streams(nest, nest.body, ())


def _streams(nest: Nest, body: tuple[Stmt, ...], around: tuple[Loop, ...]) -> Iterator[Stream]:
    for stmt in body:
        if not isinstance(stmt, Loop):
            continue
        yield from _streams(nest, stmt.body, (*around, stmt))
        inside = statements(stmt.body)
        if stmt.mode == FOR and stmt.step == 1 and any(isinstance(s, Accum) for s in inside) and not any(
                isinstance(s, Loop) and s.mode == FOR for s in inside):
            unrolled = {s.var: s for s in inside if isinstance(s, Loop)}
            for load in dict.fromkeys(all_loads(stmt.body)):
                stream = _stream(load, stmt, unrolled, around) if load.array in nest.arrays else None
                if stream is not None:
                    yield stream


def _stream(load: Load, over: Loop, unrolled: dict[str, Loop], around: tuple[Loop, ...]) -> Stream | None:
    """What to ask for; None where the rows of the next tile do not follow those of this one."""
    (index,) = load.index
    moving = [loop for var, loop in unrolled.items() if var in index.variables]
    extent = static(over.extent)
    if load.guards or len(moving) != 1 or moving[0].mode != UNROLL or extent is None or index.coefficient(over.var) != 1:
        return None
    (row,) = moving
    rows = static(row.extent) or 1
    if any(isinstance(n := index.coefficient(loop.var), int) and 0 < n < rows * extent for loop in around if loop.step == 1):
        return None  # of a window, which holds much of what the next one does
    tiles = [loop for loop in around if loop.step > 1 and index.coefficient(loop.back or loop.var) == extent]
    if index.coefficient(row.var) != extent or rows < 2 or not tiles:
        return None
    tile = tiles[-1]  # of a sample, whose last tile asks for its own rows
    if len(tiles) > 2 or (len(tiles) == 2 and around[around.index(tile) - 1] is not tiles[0]):
        return None  # of a block of rows, which is in a near cache for all panels but the first
    name = f"{tile.var.removesuffix('.o')}.p"
    first = apply("min", AxisValue(Aff.of(tile.var) + tile.step), AxisValue(Aff.of(0) + (tile.extent - rows)))
    following = Let(name, apply("max", first, Const(0, i64)), index=True)
    place = index.substitute({row.var: Aff(), tile.back or tile.var: Aff.of(name)})
    return Stream(over, load.array, place + Aff.of({over.var: rows - 1}), following)
