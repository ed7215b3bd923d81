"""A step for long sums of a strip's tiles: chunk.

    chunk(k, j.o, i.i.o, 64, 2, ahead)
                                for j.o { for i.i.o { acc c ; for k { c += x[k, i] * d[k, j] } ; each { strip.c[..] = c } } }
                                ->  for k.b step 64
                                      for k.p in 0..64 { chunk.x[..] = x[k.b + k.p, ...] }
                                      for j.o
                                        for k.p in 0..64 { chunk.d[..] = d[k.b + k.p, ...] }
                                        for i.i.o { acc c ; c += strip.c[..] ; prefetch d[..]
                                                    for k in 0..64 step 2 { each k.t<2 { c += chunk.x * chunk.d } } ; strip.c = c }

Both operands lie side by side in the caches while all tiles of the strip take them, however far apart their rows are in memory; if asked
to, the tiles ask for the rows of the next panel (prefetch d). The strip's array holds the sums between chunks.

Without a strip, tiles store their sums themselves, which wait in private memory (`sums`), and the first chunk comes last, with what follows
it. A sum of one chunk is not packed at all. Where all chunks are surely whole ones, their sums are loops of known length. Where the last
is not, each trip adds several terms all the same: what is packed has zeros behind it.
"""

from __future__ import annotations

import math

from kcompile.common.struct import replace, struct

from ...ir.scalar import Aff, Apply, Const, Expr, Guard, Load, Ref, rewrite, walk
from ...ir.types import DType
from ..access import divisor
from ..nest import UNROLL, VECTOR, Acc, Accum, Clip, Loop, Nest, Stmt, Store, identity, map_body, statements, substitute
from ..target import LINE
from .ahead import guarded, lines, share
from .block import position
from .loops import ScheduleError, record
from .stash import perfect_chain


@struct(frozen=True)
class _Parts:
    """A strip: the loop over its panels, the loop over the rows of tiles, and what stands in a tile."""

    panel: Loop
    rows: Loop
    acc: Acc
    sum: Loop
    group: Loop
    kept: Store | None  # None where the group is the epilogue

    @property
    def tile(self) -> list[Loop]:
        """The unrolled and vector loops of the tile: rows, vectors side by side (where there are several), lanes."""
        return perfect_chain(self.group)

    @property
    def height(self) -> int:
        """The rows of all its tiles."""
        return int(str(self.tile[0].extent)) * -(-int(str(self.rows.extent)) // self.rows.step)

    @property
    def clips(self) -> dict[str, Clip | None]:
        """What ends the loops of a tile early: of the sum, since those of the kept sums are gone."""
        return {s.var: s.clip for s in statements(self.sum.body) if isinstance(s, Loop)}


def chunk(nest: Nest, over: str, panel: str, rows: str, size: int, terms: int, ahead: str = "") -> Nest:
    """Goes through the sum `over` of a strip `size` at a time, with both operands of a chunk packed; a trip adds so many `terms`. Where
    `ahead` is given, the tiles ask for the next panel."""
    step = f"chunk({over}, {panel}, {rows}, {size}, {terms}{', ahead' if ahead else ''})"
    if terms < 1 or size % terms:
        raise ScheduleError(f"{step}: {size} is no multiple of {terms}")
    scratch = dict(nest.scratch)
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if done or not isinstance(stmt, Loop) or stmt.var != panel:
            return None
        parts = _parts(stmt, over, rows)
        if parts is None:
            raise ScheduleError(f"{step}: {panel} is not the loop over the panels of a strip that sums over {over}")
        done = True
        return _chunked(parts, size, terms, bool(ahead), scratch, step)

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: nest {nest.name} has no loop {panel}")
    return record(replace(nest, scratch=scratch), body, step)


def _parts(stmt: Loop, over: str, rows: str) -> _Parts | None:
    inside = stmt.body[0]
    if len(stmt.body) != 1 or not isinstance(inside, Loop) or inside.var != rows or len(inside.body) != 3:
        return None
    acc, inner, group = inside.body
    if not isinstance(acc, Acc) or not isinstance(inner, Loop) or not isinstance(group, Loop) or inner.var != over or not inner.plain:
        return None
    leaf = perfect_chain(group)[-1].body
    if len(leaf) == 1 and isinstance(leaf[0], Store) and leaf[0].array.startswith("strip."):
        return _Parts(stmt, inside, acc, inner, group, leaf[0])
    return _Parts(stmt, inside, acc, inner, group, None)


def operands(parts: tuple[Stmt, ...], row: str, lane: str, over: str) -> tuple[Load, Load] | None:
    """(the operand along the rows, the one along the lanes) of the one product that is summed, if both may be packed. Of another function
    zeros that fill a trip would add something."""
    sums = [s for s in statements(parts) if isinstance(s, Accum)]
    if len(sums) != 1 or not _is_product(sums[0].expr):
        return None
    loads = [e for e in walk(sums[0].expr) if isinstance(e, Load)]
    if len(loads) != 2 or any(e.guards or e.index[0].coefficient(over) == 0 for e in loads) or loads[0].array == loads[1].array:
        return None
    along = [e for e in loads if e.index[0].coefficient(row) == 1 and lane not in e.index[0].variables]
    across = [e for e in loads if e.index[0].coefficient(lane) == 1 and row not in e.index[0].variables]
    return (along[0], across[0]) if len(along) == 1 and len(across) == 1 else None


def _is_product(expr: Expr) -> bool:
    """Whether it is a product of what is loaded, perhaps in another dtype."""
    factors = [a.args[0] if isinstance(a, Apply) and a.fn == "cast" else a for a in expr.args] if isinstance(expr, Apply) else []
    return isinstance(expr, Apply) and expr.fn == "mul" and all(isinstance(a, Load) for a in factors)


def chunkable(loops: list[Loop], row: str, lane: str) -> bool:
    """Whether there is one such loop, and it sums a product whose operands may be packed."""
    return len(loops) == 1 and loops[0].plain and operands(tuple(loops), row, lane, loops[0].var) is not None


def _chunked(parts: _Parts, size: int, terms: int, ahead: bool, scratch: dict[str, tuple[DType, int]], step: str) -> tuple[Stmt, ...]:
    row, lane = parts.tile[0], parts.tile[-1]
    units = parts.tile[1:-1]
    over, extent = parts.sum.var, parts.sum.extent
    found = operands((parts.sum,), row.var, lane.var, over)
    if found is None or len(units) > 1:
        raise ScheduleError(f"{step}: the tile does not sum a product of one operand along its rows and one along its lanes")
    along, across = found
    later, copied = f"{over}.b", f"{over}.p"
    lanes = int(str(lane.extent))
    width = lanes * (int(str(units[0].extent)) if units else 1)
    names = [f"chunk.{along.array}", f"chunk.{across.array}"]
    scratch[names[0]], scratch[names[1]] = (along.dtype, size * parts.height), (across.dtype, size * width)
    # a strip's rows side by side; those of each tile alone are a stretch that the processor follows, but take smaller pieces to copy,
    # which pays where strips are high
    tall, apart = (parts.height, 1) if parts.kept else (int(str(row.extent)), size)
    places = [Aff.of({over: tall, row.var: 1, parts.rows.var: apart}),
              Aff.of({over: width, lane.var: 1, **({units[0].var: lanes} if units else {})})]
    clip = Clip(Aff.of(later), extent) if divisor(extent) % size else None  # else every chunk is a whole one
    here = {over: Aff.of({later: 1, copied: 1})}
    first = _rows_copied(parts, along, names[0], tall, apart, lanes, here, copied)
    unit = units[0].var if units else ""
    to = places[1].substitute({over: Aff.of(copied)})
    second = _copy(names[1], to, across, here, (unit, width // lanes), (lane.var, lanes), parts.clips[lane.var])

    def packed(e: object) -> Load | None:
        if isinstance(e, Load) and e in (along, across):
            n = 0 if e == along else 1
            return Load(names[n], (places[n],), e.dtype)
        return None

    def summed(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (replace(stmt, expr=rewrite(stmt.expr, packed)),) if isinstance(stmt, Accum) else \
            (replace(stmt, body=map_body(stmt.body, summed), clip=None),) if isinstance(stmt, Loop) else None

    asked = _next_panel(parts, across, size, width) if ahead else ()
    summing = map_body(parts.sum.body, summed)
    if terms > 1:
        summing = (Loop(f"{over}.t", terms, substitute(summing, {over: Aff.of({over: 1, f"{over}.t": 1})}), mode=UNROLL),)
    part = replace(parts.sum, extent=size, step=terms, body=summing)

    def chunked(begun: Guard, group: Stmt, at: Aff, clip: Clip | None) -> tuple[Stmt, ...]:
        """A chunk from `at` on: the strip's rows packed, and then panel after panel packed and summed by tiles that end with `group`."""
        nothing_yet = Const(identity(parts.acc.op, parts.acc.dtype), parts.acc.dtype)
        before = Load(kept.array, (kept.index,), parts.acc.dtype, (begun,), nothing_yet)
        start = _each(parts.tile, Accum(parts.acc.name, before))
        tiles = replace(parts.rows, body=(parts.acc, start, *substitute((*asked, replace(part, clip=clip)), {later: at}), group))
        rows, panel = (substitute(_copies(copy, copied, size, terms, clip), {later: at}) for copy in (first, second))
        return *rows, replace(parts.panel, body=(*panel, tiles))

    kept = parts.kept or _waiting(parts, scratch, step)
    begun = Guard(Aff.of(later), 1, extent)
    if parts.kept:
        return (Loop(later, extent, chunked(begun, parts.group, Aff.of(later), clip), step=size),)
    rest = chunked(begun, _each(parts.tile, kept), Aff.of(later, size), clip)
    last = chunked(Guard(Aff.of(0, extent), size + 1, extent + 1), parts.group, Aff(), None)  # a whole one
    alone = replace(parts.rows, body=(replace(parts.panel, body=parts.rows.body),))
    return (Loop(f"{over}.l", 1, (Loop(later, extent - size, rest, step=size), *last), clip=Clip(Aff.of(0, size), extent)),
            Loop(f"{over}.s", 1, (alone,), clip=Clip(Aff.of(0, extent), size + 1)))


def _rows_copied(parts: _Parts, along: Load, name: str, tall: int, apart: int, lanes: int, here: dict[str, Aff], copied: str) -> Loop:
    """One term of a strip's rows, packed: as many at once as surely are rows of the operand. They lie side by side, or each `tall` of them
    `apart` from the next."""
    row = parts.tile[0]
    live = parts.clips[row.var] or parts.rows.clip
    some = math.gcd(tall, lanes, divisor(live.extent) if live else tall)
    outer, group, one = f"{parts.rows.var}.p", f"{row.var}.p", f"{row.var}.q"
    moved = {**here, row.var: Aff.of({group: 1, one: 1}), parts.rows.var: Aff() if parts.kept else Aff.of(outer)}
    end = live and Clip(_without(live.base, row.var, parts.rows.var), live.extent)
    source = Load(along.array, (along.index[0].substitute(moved),), along.dtype)
    to = Aff.of({copied: tall, group: 1, one: 1}) + (Aff() if parts.kept else Aff.of({outer: apart}))
    move: tuple[Stmt, ...] = (Store(name, to, source),)
    move = (Loop(one, some, move, mode=VECTOR),) if some > 1 else substitute(move, {one: Aff()})
    if parts.kept:
        return Loop(group, parts.height, move, step=some, clip=end)
    within = end and Clip(end.base + Aff.of(outer), end.extent)
    return Loop(outer, parts.height, (Loop(group, tall, move, step=some, mode=UNROLL, clip=within),), step=tall, clip=end)


def _next_panel(parts: _Parts, across: Load, size: int, width: int) -> tuple[Stmt, ...]:
    """Requests of a tile for its share of the next panel, where the rows of that lie apart."""
    over, lane, units = parts.sum.var, parts.tile[-1], parts.tile[1:-1]
    later, stride, line = f"{over}.b", across.index[0].coefficient(over), LINE // across.dtype.size
    if not isinstance(stride, int) or stride < line:
        return ()
    at, count = share([parts.rows], size, stride)
    nothing = {lane.var: Aff(), **{unit.var: Aff() for unit in units}, over: Aff.of(later),
               parts.panel.var: Aff.of(parts.panel.var, parts.panel.step)}
    place = across.index[0].substitute(nothing) + at
    rows_ahead = [lines(f"{over}.a{n or ''}", across.array, place + n, count, stride) for n in range(0, width, line)]
    return guarded(rows_ahead, f"{over}.z", Clip(Aff.of(later, size - 1), parts.sum.extent))


def _copies(copy: Stmt, copied: str, size: int, terms: int, clip: Clip | None) -> tuple[Stmt, ...]:
    """An operand's elements of a chunk, which `copy` copies one by one; behind those of a last one zeros for the terms that fill a trip."""
    whole = Loop(copied, size, (copy,), clip=clip)
    if not clip or terms == 1:
        return (whole,)
    behind = clip.base * -1 + clip.extent
    nothing = map_body((copy,), lambda s: (replace(s, expr=Const(0.0, s.expr.dtype)),) if isinstance(s, Store) else None)
    return whole, Loop(copied, terms - 1, substitute(nothing, {copied: behind + Aff.of(copied)}), clip=Clip(behind, size))


def _waiting(parts: _Parts, scratch: dict[str, tuple[DType, int]], step: str) -> Store:
    """Where the sums of the strip's tiles wait for the next chunk, tile after tile."""
    name = f"sums.{parts.acc.name}"
    place, size = position(parts.tile, [parts.panel, parts.rows], step)
    scratch[name] = (parts.acc.dtype, size)
    return Store(name, place, Ref(parts.acc.name, parts.acc.dtype))


def _each(tile: list[Loop], stmt: Stmt) -> Stmt:
    """The statement for each sum of a tile, dead ones, too: these have their places."""
    for loop in reversed(tile):
        stmt = replace(loop, body=(stmt,), clip=None if isinstance(stmt, Store) else loop.clip)
    return stmt


def _copy(name: str, to: Aff, load: Load, moved: dict[str, Aff], groups: tuple[str, int], lanes: tuple[str, int],
          clip: Clip | None) -> Loop:
    source = Load(load.array, (load.index[0].substitute(moved),), load.dtype)
    vector = Loop(lanes[0], lanes[1], (Store(name, to, source),), mode=VECTOR, clip=clip)
    if groups[1] > 1:
        return Loop(groups[0], groups[1], (vector,), mode=UNROLL)
    (alone,) = substitute((vector,), {groups[0]: Aff()})
    assert isinstance(alone, Loop)
    return alone


def _without(aff: Aff, *variables: str) -> Aff:
    return aff.substitute(dict.fromkeys(variables, Aff()))

