"""A step for the last tile of an axis of unknown length: singly.

    singly(i.i)   for i.o in 0..B step 4 { acc c[i.i<4] ; for k ... each i.i<4 if i.o + i.i < B ... }
                  ->  for i.o in 0..B step 4 {
                        for i.w in 0..1 if i.o + i.w + 3 < B { acc c[i.i<4] ; for k ... each i.i<4 ... }
                        for i.s in 0..1 if [B] - i.o + i.s < 4 { for i.r in 0..4 if i.o + i.r < B { acc c[] ; for k ... } } }

    singly(i.i, 2)    ... for i.r in 0..4 step 2 if i.o + i.r < B { acc c[i.q<2] ; for k ... each i.q<2 if i.o + i.r + i.q < B ... }

    singly(i.i, 2, 4)  (of tiles of 6 rows)
                  ->  ... for i.s in 0..1 if [B] - i.o + i.s < 6 {
                            for i.m in 0..1 if i.o + i.m + 2 < B { acc c[i.q<4] ; for k ... each i.q<4 if i.o + i.m + i.q < B ... }
                            index i.d = 4, or 0 where the loop before did nothing
                            for i.r in 0..6 step 2 if i.o + i.r < B where i.d <= i.r { ... } }

A tile that is whole has no clamped rows; the rows of one that is not are done one by one, or a few at a time, each to the same bits. A row
or two leave so few sums in flight that what they wait for, the latency of an addition, is enough for several: those that are not there
are the last one again. A batch of one row computes one row, or what takes no longer. Where more rows are left, most of them come first,
as one tile: 8 and not two times 4 of the last 8 rows of a batch of 32.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, AxisValue, Guard, apply
from ...ir.types import Dim
from ..nest import Acc, Clip, Let, Loop, Nest, Stmt, Transpose, loops, map_body, statements, substitute
from .loops import ScheduleError, record, refuse


def singly(nest: Nest, rows: str, few: str | int = 1, more: str | int = 0) -> Nest:
    """Tells whole tiles from the last one along the unrolled loop `rows`, of which `few` rows are done at a time; `more` of them first,
    at once, where so many are left that the last `few` of these are needed."""
    few, more = int(few), int(more)
    step = f"singly({rows}{f', {few}' if few > 1 or more else ''}{f', {more}' if more else ''})"
    refuse(step, why_not_singly(nest, rows))
    clip = next(loop.clip for loop in loops(nest, rows) if loop.clip)
    count = int(str(loops(nest, rows)[0].extent))
    if not 0 < few <= count or count % few:
        raise ScheduleError(f"{step}: the {count} rows of a tile are not {few} at a time")
    if more and (more % few or not few < more < count):
        raise ScheduleError(f"{step}: {more} rows are no part of a tile of {count}, or not a multiple of {few}")
    axis = rows.removesuffix(".i")
    whole, short, row = f"{axis}.w", f"{axis}.s", f"{axis}.r"

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or not any(is_tile(s, rows) for s in stmt.body):
            return None
        start = next(n for n, s in enumerate(stmt.body) if is_tile(s, rows))
        before, tile = stmt.body[:start], stmt.body[start:]
        full = Loop(whole, 1, whole_rows(tile, rows), clip=Clip(clip.base + (count - 1), clip.extent))
        left = Loop(row, count, _one_row(tile, rows, row) if few == 1 else _few_rows(tile, rows, few), step=few, clip=clip)
        first = _first_rows(tile, rows, few, more) if more else ()
        if more:
            left = replace(left, where=Guard(Aff.of(row) + Aff.of(f"{axis}.d") * -1, 0, count))
        rest = Loop(short, 1, (*first, left), clip=Clip(clip.base * -1 + clip.extent, count))
        return (replace(stmt, body=(*before, full, rest)),)

    return record(nest, map_body(nest.body, change), step)


def _first_rows(tile: tuple[Stmt, ...], rows: str, few: int, more: int) -> tuple[Stmt, ...]:
    """`more` rows at once, where the last `few` of them are needed, and how many rows are done then."""
    axis = rows.removesuffix(".i")
    once, done = f"{axis}.m", f"{axis}.d"
    clip = next(s.clip for s in statements(tile) if isinstance(s, Loop) and s.var == rows and s.clip)
    begins = clip.base + (more - few)
    loop = Loop(once, 1, substitute(_few_rows(tile, rows, more), {f"{axis}.r": Aff.of(once)}), clip=Clip(begins, clip.extent))
    left = AxisValue((begins * -1 + clip.extent) * more)
    return loop, Let(done, apply("min", apply("max", left, AxisValue(Aff())), AxisValue(Aff() + more)), index=True)


def why_not_singly(nest: Nest, rows: str) -> str:
    """What stands against `singly`; '' for nothing."""
    reason = why_not_apart(nest, rows)
    if not reason and not any(isinstance(loop.clip.extent, Dim) for loop in loops(nest, rows) if loop.clip):
        return f"the length of {rows} is known: slide makes its last tile a whole one"
    return reason


def why_not_apart(nest: Nest, rows: str) -> str:
    """What stands against a last tile along the unrolled loop `rows` that has code of its own; '' for nothing."""
    found = loops(nest, rows)
    clips = {loop.clip for loop in found if loop.clip}
    if not found or len(clips) != 1:
        return f"nest {nest.name} has no loop {rows} that ends early in one way"
    (clip,) = clips
    homes = [s for s in statements(nest.body) if isinstance(s, Loop) and any(is_tile(x, rows) for x in s.body)]
    inside = [s for home in homes for s in statements(home.body)]
    if not homes or sum(s in inside for s in found) != len(found):
        return f"{rows} is not a loop of one tile of sums alone"
    if any(isinstance(s, Acc) and rows in s.folded for s in inside) or clip.base.variables & {s.var for s in inside if isinstance(s, Loop)}:
        return f"the tile sums along {rows}"
    if any(isinstance(s, Transpose) for s in inside):
        return "results are transposed as they are stored"
    return ""


def is_tile(stmt: Stmt, rows: str) -> bool:
    """Whether a statement declares the sums of a tile along `rows`."""
    return isinstance(stmt, Acc) and any(d.var == rows for d in stmt.dims)


def whole_rows(body: tuple[Stmt, ...], rows: str) -> tuple[Stmt, ...]:
    """The body of a tile in which no row is dead."""
    return map_body(body, lambda s: (replace(s, clip=None, body=whole_rows(s.body, rows)),)
                    if isinstance(s, Loop) and s.var == rows else None)


def _one_row(body: tuple[Stmt, ...], rows: str, row: str) -> tuple[Stmt, ...]:
    """The body of a tile for one row, which is always a live one."""

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, Acc):
            return (replace(stmt, dims=tuple(d for d in stmt.dims if d.var != rows)),)
        return _one_row(stmt.body, rows, row) if isinstance(stmt, Loop) and stmt.var == rows else None

    return substitute(map_body(body, change), {rows: Aff.of(row)})


def _few_rows(body: tuple[Stmt, ...], rows: str, few: int) -> tuple[Stmt, ...]:
    """The body of a tile for `few` rows from `row` on, of which the last ones may be dead."""
    axis = rows.removesuffix(".i")
    row, some = f"{axis}.r", f"{axis}.q"

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, Acc):
            return (replace(stmt, dims=tuple(replace(d, var=some, extent=few) if d.var == rows else d for d in stmt.dims)),)
        if isinstance(stmt, Loop) and stmt.var == rows:
            clip = stmt.clip and Clip(stmt.clip.base + Aff.of(row), stmt.clip.extent)
            return (replace(stmt, var=some, extent=few, clip=clip, body=map_body(stmt.body, change)),)
        return None

    return substitute(map_body(body, change), {rows: Aff.of(row) + Aff.of(some)})
