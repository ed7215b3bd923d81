"""A step for tiles at the border of an image: edges.

    edges(x.i, kx)
        for x.o in 0..32 step 8 { acc c[x.i<8] ; for o ... each x.i<8, kx<3: c add= dy[... if 0 <= x.o + x.i + kx - 1 < 32] * ... }
    ->  acc c[x.i<8] ; for o ... each x.i<8, kx<3: c add= dy[... if 0 <= x.i + kx - 1 < 32] * ...
        for x.m in 0..16 step 8 { acc c[x.i<8] ; for o ... each x.i<8, kx<3: c add= dy[...] * ... }
        acc c[x.i<8] ; for o ... each x.i<8, kx<3: c add= dy[... if 0 <= x.i + kx + 23 < 32] * ...

Only tiles at an edge have terms that a guard makes 0. Each of these gets code of its own, in which it is known which terms these are:
they are left out. A run-time loop over the taps is written out there, but for taps of which all terms count. In all other tiles the
guard holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Expr, Guard, Load, rewrite, vanishing
from ..nest import FOR, UNROLL, Accum, Loop, Nest, Stmt, loops, map_body, statements, substitute
from .loops import record, refuse
from .short import first_rows
from .singly import is_tile, whole_rows


def edges(nest: Nest, rows: str, over: str = "") -> Nest:
    """Gives tiles of the unrolled loop `rows` in which a guard may fail, for some trip of the loop `over` or for all, code of their own."""
    step = f"edges({rows}, {over})" if over else f"edges({rows})"
    refuse(step, why_not_edges(nest, rows, over))
    axis = rows.removesuffix(".i")
    guards = _guards(nest, rows, over)
    trips = int(str(loops(nest, over)[0].extent)) if over else 1

    def known(start: int, size: int) -> list[bool]:
        """For each trip of the sum, whether all terms of the tile that begins at `start` count."""
        return [all(_hold(guards, {over: k, rows: r, f"{axis}.o": start}) for r in (0, size - 1)) for k in range(trips)]

    if axis == rows:  # one tile holds the whole axis
        size = int(str(loops(nest, rows)[0].extent))
        return record(nest, _fixed(nest.body, over, known(0, size), guards), step)
    (tiles,) = loops(nest, f"{axis}.o")
    size, extent = tiles.step, int(str(tiles.extent))
    alone = _by_one_thread(tiles.body)
    inner = [start for start in range(0, extent, size) if start + size <= extent and all(known(start, size))]

    def tile_at(start: int) -> tuple[Stmt, ...]:
        count = min(size, extent - start)
        body = whole_rows(alone, rows) if count == size else first_rows(alone, rows, count)
        here = {tiles.var: Aff.of({}, start)}
        fixed = [Guard(g.index.substitute(here), g.lo, g.hi) for g in guards]
        return _fixed(substitute(body, here), over, known(start, count), fixed)

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if stmt is not tiles:
            return None
        before = [s for start in range(0, inner[0] if inner else extent, size) for s in tile_at(start)]
        after = [s for start in range(inner[-1] + size, extent, size) for s in tile_at(start)] if inner else []
        middle = f"{axis}.m"
        body = substitute(_unguarded(whole_rows(alone, rows), guards), {tiles.var: Aff.of({middle: 1}, inner[0])}) if inner else ()
        return (*before, *([Loop(middle, len(inner) * size, body, size)] if inner else []), *after)

    return record(nest, map_body(nest.body, change), step)


def why_not_edges(nest: Nest, rows: str, over: str) -> str:
    """What stands against `edges`; '' for nothing."""
    axis = rows.removesuffix(".i")
    found = [loop for loop in loops(nest, rows) if any(isinstance(s, Accum) for s in loop.inside)]
    tiles, sums = loops(nest, f"{axis}.o") if axis != rows else [], loops(nest, over)
    if not found or any(loop.mode != UNROLL for loop in found):
        return f"{rows} is not an unrolled loop"
    if bool(over) > bool(sums) or any(not isinstance(loop.extent, int) or loop.clip or loop.where or loop.step != 1 for loop in sums):
        return f"{over} is not a loop of known length"
    if not _guards(nest, rows, over):
        return f"no term is 0 by a guard that moves with {rows}{over and f' and {over}'}"
    if axis == rows:
        return "" if sums and sums[0].mode == FOR else f"{rows} is one tile, for which every guard is known already"
    count = int(str(found[0].extent))
    if len(tiles) != 1 or tiles[0].mode != FOR or tiles[0].step != count or tiles[0].back or not isinstance(tiles[0].extent, int):
        return f"{rows} is not cut from one loop of known length"
    if tiles[0].parallel and not any(isinstance(s, Loop) and s.parallel and tiles[0] in s.inside for s in statements(nest.body)):
        return f"threads share nothing but the tiles of {rows}"
    if sum(is_tile(s, rows) for s in statements(tiles[0].body)) != 1:
        return f"{rows} is not a loop of one tile of sums"
    return ""


def _guards(nest: Nest, rows: str, over: str) -> list[Guard]:
    """Guards without which a term is 0, that the rows and the trips of the sum alone decide."""
    axis = rows.removesuffix(".i")
    found = [g for s in statements(nest.body) if isinstance(s, Accum) for g in vanishing(s.expr)]
    least = {rows, over} if over else {rows}
    return [g for g in dict.fromkeys(found) if least <= g.index.variables <= {*least, f"{axis}.o"}
            and isinstance(g.lo, int) and isinstance(g.hi, int)]


def _by_one_thread(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """The body without loops that threads share: they share what is around all tiles."""
    return tuple(replace(s, parallel=False, body=_by_one_thread(s.body)) if isinstance(s, Loop) else s for s in body)


def _hold(guards: list[Guard], at: Mapping[str, int]) -> bool:
    """Whether all guards hold at one place."""
    where = {var: Aff.of({}, value) for var, value in at.items()}
    return all(int(str(g.lo)) <= int(str(g.index.substitute(where).const)) < int(str(g.hi)) for g in guards)


def _fixed(body: tuple[Stmt, ...], over: str, whole: list[bool], guards: list[Guard]) -> tuple[Stmt, ...]:
    """The body with a run-time loop over the taps written out, so that each guard is known; taps of which all terms count stay a loop."""

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or stmt.var != over or stmt.mode != FOR:
            return None
        out: list[Stmt] = []
        for counts, run in groupby(range(len(whole)), whole.__getitem__):
            trips = list(run)
            if counts and len(trips) > 1:
                inside = substitute(_unguarded(stmt.body, guards), {over: Aff.of({over: 1}, trips[0])})
                out.append(replace(stmt, extent=len(trips), body=inside))
            else:
                out += [s for n in trips for s in substitute(stmt.body, {over: Aff.of({}, n)})]
        return tuple(out)

    return map_body(body, change)


def _unguarded(body: tuple[Stmt, ...], guards: list[Guard]) -> tuple[Stmt, ...]:
    def leaf(e: Expr) -> Expr | None:
        if not isinstance(e, Load) or not set(guards) & set(e.guards):
            return None
        rest = tuple(g for g in e.guards if g not in guards)
        return replace(e, guards=rest, other=e.other if rest else None)

    return map_body(body, lambda s: (replace(s, expr=rewrite(s.expr, leaf)),) if isinstance(s, Accum) else None)
