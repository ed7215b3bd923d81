"""A step that runs the epilogue of one tile inside the sum of the next: behind.

    behind(i.o, n)    for i.o in 0..784 step 14
                        acc c
                        for n in 0..B { c += ... }
                        each i.i<14, j.u<2, j.v { tile.c[..] = c }
                        for i.i in 0..14 { each j.u<2, j.v { m[32*i.o + 32*i.i + ..] = f(tile.c[..]) } }
                      ->
                      for i.o in 0..784 step 14
                        acc c
                        index n.a = 28, or 0 in the first tile ; index n.d = min(n.a, B)
                        for n in 0..n.d { each j.v { m[32*i.o - 448 + 16*n + j.v] = f(tile.c[16*n + j.v]) } ; c += ... }
                        for n in n.d..B { c += ... }
                        for n.l in n.d..n.a { each j.v { m[...] = f(...) } }
                        each i.i<14, j.u<2, j.v { tile.c[..] = c }
                      for n.l in 0..28 { each j.v { m[..] = f(...) } }

A division or a root holds the divider for ten cycles and more while hardly anything is issued; a processor looks a few hundred instructions
ahead, so it finds no products to do meanwhile unless they stand beside it. So each trip of a sum takes one vector of the epilogue of the
tile before, whose sums wait in a private array as they did. That the vectors of an epilogue are numbered through asks for rows that lie one
after the other, as those of panels do. Where a division waits for a root, behind(i.o, n, 2) does what comes after the root two vectors
later (stages.py):

                        for n.l in 0..2 { early(n.l) }
                        for n in 0..n.d { late(n) ; early(n + 2) ; c += ... }
                        for n in n.d..B { c += ... }
                        for n.l in n.d..n.a { late(n.l) ; early(n.l + 2) }
                        for n.l in 0..2 { late(26 + n.l) }
"""

from __future__ import annotations

from kcompile.common.struct import replace, struct

from ...ir.scalar import Aff, Apply, AxisValue, Guard, Load, walk
from ..access import static
from ..nest import (
    FOR,
    UNROLL,
    VECTOR,
    Acc,
    Accum,
    Clip,
    Let,
    Loop,
    Nest,
    Stmt,
    Store,
    all_loads,
    all_stores,
    map_body,
    stmt_expr,
    substitute,
)
from .asking import least
from .loops import ScheduleError, record
from .stages import Stages, in_stages


@struct(frozen=True)
class _Tile:
    """The statements of a tile, in order; `vectors`: of the epilogue, which stand under the loops `rows` and perhaps `unit`."""

    first: tuple[Stmt, ...]
    sums: Loop
    kept: tuple[Stmt, ...]
    rows: Loop
    unit: Loop | None
    vectors: int

    @property
    def inner(self) -> Loop:
        """The loop over vectors."""
        return self.unit or self.rows

    @property
    def lane(self) -> Loop:
        """The loop over the lanes of a vector."""
        (lane,) = self.inner.body
        assert isinstance(lane, Loop)
        return lane

    def stages(self, nest: Nest) -> Stages | None:
        """The epilogue in two, where a division waits for a root."""
        return in_stages(nest, self.lane, Aff.of(self.inner.var))

    def of_vector(self, number: Aff, tile: str, at: Aff, what: Loop | None = None) -> tuple[Stmt, ...]:
        """One vector of the epilogue (or `what` stands for its lanes) of the tile at that place."""
        moved = {self.rows.var: Aff(), self.inner.var: number, tile: at}
        return substitute((what or self.lane,), moved)


def behind(nest: Nest, tile: str, over: str, lag: int = 0) -> Nest:
    """Moves the epilogues of the tiles along `tile` into the sums over `over`; what comes after a root is done `lag` vectors later."""
    step = f"behind({tile}, {over}{f', {lag}' if lag else ''})"
    scratch = dict(nest.scratch)
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var != tile or not (parts := _parts(nest, stmt, over)):
            return None
        stages = parts.stages(nest) if lag else None
        if lag and (not stages or lag >= parts.vectors):
            return None
        for name, dtype in stages.kept.items() if stages else ():
            scratch[name] = dtype, parts.vectors * int(str(parts.lane.extent))
        done = True
        return _moved(stmt, parts, stages, lag)

    body = map_body(nest.body, change)
    if not done:
        what = ", and of which a division waits for a root" if lag else ""
        raise ScheduleError(f"{step}: no tiles along {tile} sum over {over} what their epilogues leave alone, and then go on "
                            f"over rows that lie one after the other{what}")
    return record(replace(nest, scratch=scratch), body, step)


def epilogue_behind(nest: Nest, tile: Loop, over: str) -> tuple[Stmt, ...]:
    """What each trip of a sum would take with it; nothing where `behind` does not apply."""
    parts = _parts(nest, tile, over)
    return parts.inner.body if parts else ()


def waits_for_a_root(nest: Nest, tile: Loop, over: str, lag: int) -> bool:
    """Whether `behind` applies with that lag."""
    parts = _parts(nest, tile, over)
    return parts is not None and lag < parts.vectors and parts.stages(nest) is not None


def _parts(nest: Nest, tile: Loop, over: str) -> _Tile | None:
    if tile.mode != FOR or tile.parallel or tile.clip or tile.back or tile.where or static(tile.extent) is None or len(tile.body) < 4:
        return None
    *first, sums, kept, rows = tile.body
    if not (isinstance(sums, Loop) and sums.var == over and sums.mode == FOR and sums.step == 1 and not sums.back and not sums.where):
        return None
    if any(isinstance(s, Loop) and s.mode == FOR for s in sums.inside) or not any(isinstance(s, Accum) for s in sums.inside):
        return None
    if not isinstance(first[0], Acc) or any(isinstance(s, Loop) and s.mode == FOR for s in first):
        return None
    if not isinstance(kept, Loop) or kept.mode == FOR or not isinstance(rows, Loop) or not rows.plain or static(rows.extent) is None:
        return None
    unit = next((s for s in rows.body if isinstance(s, Loop) and s.mode == UNROLL), None)
    lane = (unit or rows).body[0]
    if len(rows.body) != 1 or len((unit or rows).body) != 1 or not isinstance(lane, Loop) or lane.mode != VECTOR or lane.clip:
        return None
    if (unit and (unit.clip or unit.step != 1)) or not all(isinstance(s, (Let, Store)) for s in lane.body):
        return None
    count = int(str(unit.extent)) if unit else 1
    if unit and any(aff.coefficient(rows.var) != aff.coefficient(unit.var) * count for aff in _indices(lane.body)):
        return None
    waiting = {s.array for s in all_stores((kept,))}
    if not waiting <= set(nest.scratch) or waiting & {load.array for load in all_loads((*first, sums))}:
        return None
    of = {written: nest.in_place.get(written, written) for written in nest.arrays}
    written = {of.get(s.array, s.array) for s in all_stores(rows.body)}
    if written & {of.get(load.array, load.array) for load in all_loads((*first, sums, kept))} or any(True for _ in all_stores(sums.body)):
        return None
    return _Tile(tuple(first), sums, (kept,), rows, unit, int(str(rows.extent)) * count)


def _indices(body: tuple[Stmt, ...]) -> list[Aff]:
    out = [s.index for s in body if isinstance(s, Store)]
    for stmt in body:
        expr = stmt_expr(stmt)
        for e in walk(expr) if expr is not None else ():
            if isinstance(e, Load):
                out += [*e.index, *(guard.index for guard in e.guards)]
            elif isinstance(e, AxisValue):
                out.append(e.index)
    return out


def _moved(tile: Loop, parts: _Tile, stages: Stages | None, lag: int) -> tuple[Stmt, ...]:
    sums, vectors, over = parts.sums, parts.vectors, parts.sums.var
    ready, done, late = f"{over}.a", f"{over}.d", f"{over}.l"
    before = Aff.of(tile.var) + -tile.step
    pairs = vectors - lag  # trips that begin one vector and end another, or do all of one

    def vector(number: Aff) -> tuple[Stmt, ...]:
        if not stages:
            return parts.of_vector(number, tile.var, before)
        return *parts.of_vector(number, tile.var, before, stages.late), *parts.of_vector(number + lag, tile.var, before, stages.early)

    waiting = least(Aff.of({tile.var: vectors}, -lag), Aff() + pairs)
    trips = [Aff.of(0) + sums.extent, *([sums.clip.base * -1 + sums.clip.extent] if sums.clip else [])]
    beside = replace(sums, extent=pairs, clip=None, where=Guard(Aff.of(over) + Aff.of(done) * -1, -pairs, 0),
                     body=(*vector(Aff.of(over)), *_of_first_trips(sums, pairs)))
    alone = replace(sums, where=Guard(Aff.of(over) + Aff.of(done) * -1, 0, sums.extent + lag))  # in the first tile `done` is -lag
    rest = Loop(late, pairs, vector(Aff.of(late)), where=Guard(Aff.of(late) + Aff.of(done) * -1, 0, pairs), clip=_below(ready, pairs))
    counts = Let(ready, waiting, index=True), Let(done, least(Aff.of(ready), *trips), index=True)
    first: tuple[Stmt, ...] = ()
    if stages:
        first = (Loop(late, lag, parts.of_vector(Aff.of(late), tile.var, before, stages.early), clip=_below(ready, lag, lag)),)
        ending = Loop(late, lag, parts.of_vector(Aff.of(late) + pairs, tile.var, before, stages.late), clip=_below(ready, lag, lag))
    body = (*parts.first, *counts, *first, beside, alone, rest, *([ending] if stages else []), *parts.kept)
    last = (int(str(tile.extent)) - 1) // tile.step * tile.step
    return replace(tile, body=body), Loop(late, vectors, parts.of_vector(Aff.of(late), tile.var, Aff() + last))


def _of_first_trips(sums: Loop, trips: int) -> tuple[Stmt, ...]:
    """The body of a sum, where an index that only later trips keep from growing grows with the sum."""
    moving = Aff.of(sums.var)
    growing: dict[str, Aff] = {}
    for stmt in sums.body:
        if isinstance(stmt, Let) and stmt.index and isinstance(stmt.expr, Apply) and stmt.expr.fn == "min":
            place, most = (arg.index if isinstance(arg, AxisValue) else None for arg in stmt.expr.args)
            factor = place.coefficient(sums.var) if place else 0
            if place and most and place == moving * factor and not most.terms and isinstance(most.const, int) \
                    and isinstance(factor, int) and 0 < factor * (trips - 1) <= most.const:
                growing[stmt.name] = place
    return substitute(tuple(s for s in sums.body if not (isinstance(s, Let) and s.name in growing)), growing)


def _below(name: str, extent: int, more: int = 0) -> Clip:
    """Of a loop of that extent: trips below the index `name` and so many more, which together are no more than it."""
    return Clip(Aff.of(name) * -1 + (extent - more), extent)
