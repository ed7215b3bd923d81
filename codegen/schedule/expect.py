"""expect: while a tile sums, what its epilogue will read is asked for.

    for m in 0..64                                              for m in 0..64
      each i.i<14, l.i.u<2, l.i.v:vec16                           index r.n = min(m, 13)
        a add= x[...] * w[...]                                    prefetch r[256*r.n + 256*i.o + l.o]
    for i.i in 0..14                                    ->        prefetch r[256*r.n + 256*i.o + l.o + 16]
      each l.i.u<2, l.i.v:vec16                                   each i.i<14, l.i.u<2, l.i.v:vec16
        y[...] = r[256*i.i + 256*i.o + ...] + a[...]                a add= x[...] * w[...]
                                                                for i.i in 0..14
                                                                  ...

Its rows lie apart, so that no processor sees a stream in them, and the loads come when the sum is nearly done: each tile would wait for
its own. A row or two in a trip of the sum, the requests never queue up; those that come again, when all rows have been asked for, cost
no more than a load.

What it writes is asked for, too, after that: `expect(y, 28)` begins in trip 28, with rows max(min(m - 28, 13), 0). Stores wait for the
lines of memory that they are part of, and those behind them with them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from kcompile.common.struct import replace, struct

from ...ir.scalar import Aff, AxisValue, Const, Load, apply
from ...ir.types import i64
from ..access import MANY, guess, static
from ..nest import FOR, VECTOR, Acc, Accum, Let, Loop, Nest, Prefetch, Stmt, Store, all_loads, map_body, statements
from .ahead import AT_ONCE
from .foresee import one_a_line, reached
from .loops import ScheduleError, record

INNERMOST = 4  # requests in a trip that holds no loop, or one for every SUMS products: so many loads are free
SUMS = 8


@struct(frozen=True)
class Expected:
    """What the epilogue of a tile reads of an array, or writes (`stored`). `over`: the loop of the sum whose trips ask for it, `rows` rows
    each, the first ones at `lines`; `apart`: elements from a row to the next, `last`: the last row that a trip begins with."""

    array: str
    over: Loop
    rows: int
    lines: tuple[Aff, ...]
    apart: int
    last: int
    added: int  # vectors, by the tile, for each line that it asks for
    stored: bool = False

    @property
    def trips(self) -> int:
        """Of the loop, until all rows have been asked for."""
        return self.last // self.rows + 1


def expect(nest: Nest, array: str, first: int = 0) -> Nest:
    """In every tile whose epilogue reads the array at places that are known, or writes it, these are asked for while it sums, from trip
    `first` on."""
    step = f"expect({array}{f', {first}' if first else ''})"
    found = {id(e.over): e for e in expected(nest) if e.array == array}
    if not found:
        raise ScheduleError(f"{step}: no tile's epilogue reads or writes rows of {array} at places that are known before its sum is done")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        e = found.get(id(stmt))
        if e is None or not isinstance(stmt, Loop):
            return None
        name = f"{e.over.var}.r{sum(isinstance(s, Let) for s in stmt.body) or ''}"
        step = _shares(stmt, e.apart)  # a row is counted as so many, which its distance is divided by
        each = max(1, e.rows * step // stmt.step)
        moved = Aff.of({stmt.var: each}, -each * first * stmt.step)
        place = apply("min", AxisValue(moved), AxisValue(Aff.of(0) + e.last * step))
        row = Let(name, apply("max", place, Const(0, i64)) if first else place, index=True)
        return (replace(stmt, body=(row, *(Prefetch(array, line + Aff.of({name: e.apart // step})) for line in e.lines), *stmt.body)),)

    return record(nest, map_body(nest.body, change), step)


def expected(nest: Nest) -> Iterator[Expected]:
    """All that `expect` may ask for."""
    for stmt in statements(nest.body):
        if isinstance(stmt, Loop) and stmt.mode == FOR and any(isinstance(s, Acc) for s in stmt.body):
            yield from _of_body(stmt.body)


def _of_body(body: Sequence[Stmt]) -> Iterator[Expected]:
    """For the tiles of a body, which at the borders of an image are several, one after the other."""
    tile: list[Stmt] = []
    for stmt in body:
        if isinstance(stmt, Acc) and any(map(_stores, tile)):
            yield from _of_tile(tile)
            tile = []
        tile.append(stmt)
    yield from _of_tile(tile)


def _stores(stmt: Stmt) -> bool:
    return isinstance(stmt, Loop) and any(isinstance(s, Store) for s in stmt.inside)


def _of_tile(tile: Sequence[Stmt]) -> Iterator[Expected]:
    first = next((n for n, s in enumerate(tile) if _stores(s)), 0)
    sums, after = tuple(tile[:first]), tuple(tile[first:])
    if any(isinstance(x, Accum) for x in statements(after)):
        return
    loads = list(dict.fromkeys(all_loads(after)))
    read = {load.array for load in loads}
    stored = list(dict.fromkeys(Load(s.array, (s.index,), s.expr.dtype) for s in statements(after)
                                if isinstance(s, Store) and s.array not in read))
    loops = {s.back or s.var: s for s in statements(after) if isinstance(s, Loop)}
    for array in dict.fromkeys(load.array for load in (*loads, *stored)):
        for e in _of_loads([load for load in (*loads, *stored) if load.array == array], sums, loops):
            yield replace(e, stored=array not in read)


def _of_loads(loads: Sequence[Load], sums: tuple[Stmt, ...], loops: Mapping[str, Loop]) -> Iterator[Expected]:
    """For all loads of an array, which may be several at known distances, as those of a window are."""
    (index,) = loads[0].index
    moving = [(var, loop) for var, loop in loops.items() if loop.mode != VECTOR and index.coefficient(var) != 0]
    if not moving or any(static(loop.extent) is None for _, loop in moving):
        return
    var, row = max(moving, key=lambda one: guess(one[1].extent) // one[1].step)
    count, coefficient = guess(row.extent) // row.step, index.coefficient(var)
    inside = {a + b for a in reached(index, [loop for _, loop in moving if loop is not row]) for b in _distances(loads)}
    if count < 2 or row.back or row.clip or not isinstance(coefficient, int) or not inside:
        return
    apart, base = coefficient * row.step, index.substitute(dict.fromkeys(loops, Aff()))
    for side, added, innermost in _sums(sums):
        over, trips = side[0], static(side[0].extent)
        if trips is None or over.clip or over.back or over.where:
            continue
        rows = min(count, -(-count * over.step // trips) * over.step // _shares(over, apart))
        lines = one_a_line(base, sorted({o + apart * n for o in inside for n in range(rows)}), loads[0].dtype.size)
        most = max(INNERMOST, added // SUMS) if innermost else AT_ONCE
        shares = -(-len(lines) // most)
        if 0 < shares <= len(side):
            total = _added(sums) // (len(lines) * -(-count // rows))
            for n, loop in enumerate(side[:shares]):
                part = lines[len(lines) * n // shares:len(lines) * (n + 1) // shares]
                yield Expected(loads[0].array, loop, rows, tuple(part), apart, count - rows, total)
            return


def _distances(loads: Sequence[Load]) -> set[int]:
    """From the place of the first load to those of all; none where they are not known."""
    found = [static(away.const) for load in loads if not (away := load.index[0] + loads[0].index[0] * -1).variables and not load.guards]
    return {d for d in found if d is not None} if len(found) == len(loads) and None not in found else set()


def _shares(over: Loop, apart: int) -> int:
    """What a trip of several terms moves its variable by, where rows are that number of equal parts apart: then each trip asks for its own
    rows. Else 1: it asks for a row for each term."""
    return over.step if apart % over.step == 0 else 1


def _sums(body: tuple[Stmt, ...]) -> Iterator[tuple[list[Loop], int, bool]]:
    """The loops of a tile's sum, outermost first, with the vectors that a trip adds, and whether it has no loop inside. Of several side by
    side, as for the taps of a border, all that go as the first one does: what is too much for a trip of one is asked for by several."""
    found = [s for s in body if isinstance(s, Loop) and s.mode == FOR and any(isinstance(x, Accum) for x in s.inside)]
    if found:
        inner = any(isinstance(x, Loop) and x.mode == FOR for x in found[0].inside)
        yield [s for s in found if replace(s, body=found[0].body) == found[0]], _added(found[0].body), not inner
        yield from _sums(found[0].body)


def _added(body: tuple[Stmt, ...]) -> int:
    """Vectors that are multiplied and added."""
    total = 0
    for s in body:
        trips = -(-guess(s.extent, MANY) // s.step) if isinstance(s, Loop) and s.mode != VECTOR else 1
        total += trips * _added(s.body) if isinstance(s, Loop) else isinstance(s, Accum)
    return total
