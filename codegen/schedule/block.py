"""Steps for long sums over much memory: block and block_inside.

    block(n, 8)     for j.o { acc c ; for n in 0..B { c += ... } ; y = c }
                    ->  index n.h = where the second half of these blocks begins
                        for n.b in 0..B - 8 step 8                     # all blocks but the first
                          for j.o { acc c ; c += sums[..] ; for n in 0..8 { c += ...[n.b + n + 8] } ; sums[..] = c }
                        for j.o { acc c ; c += sums[..] ; c += sums[..] ; for n in 0..8 { c += ... } ; y = c }

Every tile takes what one block reads from the cache before anyone reads the next block; the sums wait in private memory between
blocks. A sum no longer than one block touches none of it. The two halves of the blocks have sums of their own, so that a tile may begin
with either (`opposite`) and come to the same bits.

    block_inside(n, y, 4)   for j.o { acc c ; for n in 0..B { for y in 0..16 { c += ... } } ; y = c }
                    ->  for n in 0..B { for y.b in 0..16 step 4
                          for j.o { acc c ; c += sums[..] ; for y in 0..4 { c += ...[y.b + y] } ; sums[..] = c } }
                        for j.o { acc c ; c += sums[..] ; y = c }

A block may be less than a trip of the outer loop: some rows of one image. The sums keep their order.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, AxisValue, Const, Expr, Guard, Load, Ref, apply
from ...ir.types import Dim, DimLike, i64
from ..nest import FOR, Acc, Accum, Clip, Let, Loop, Nest, Stmt, Store, identity, statements, substitute
from .loops import ScheduleError, record


def block(nest: Nest, over: str, size: int) -> Nest:
    """Goes through the sums over `over`, the outermost reduced loop of a tile, `size` at a time; every tile before the next block.

    All loops around the tile are perfectly nested and of static extent; a trip of theirs is a tile of accumulators.
    """
    step = f"block({over}, {size})"
    tiles, acc, inner, after = _parts(nest, over, step, size)
    name = f"sums.{acc.name}"
    group = summed_group(inner, acc, step)
    place, elements = position(group, tiles, step)
    kept = {**nest.scratch, name: (acc.dtype, 2 * elements)}
    extent, later = inner.extent, f"{over}.b"
    middle = middle_of(extent - size, size)
    where, since = Aff.of({f"{over}.s": 1}), f"{over}.w"  # which sums, and how far after the first block of theirs
    lead = (*(s for s in nest.body if not isinstance(s, Loop)), Let(f"{over}.h", middle, index=True))
    half = (Let(f"{over}.s", _behind(over, Const(elements, i64), Const(0, i64)), index=True),
            Let(since, _behind(over, AxisValue(Aff.of({later: 1, f"{over}.h": -1})), AxisValue(Aff.of(later))), index=True))

    def taken_up(at: Aff, guard: Guard) -> Stmt:
        return around(group, (Accum(acc.name, Load(name, (at,), acc.dtype, (guard,), Const(identity(acc.op, acc.dtype), acc.dtype))),))

    def summed(moved: Aff, clip: Clip) -> Loop:
        return replace(inner, extent=size, body=substitute(inner.body, {over: moved}), clip=clip)

    rest = (acc, *half, taken_up(place + where, Guard(Aff.of(since), 1, extent)),
            summed(Aff.of({later: 1, over: 1}, size), Clip(Aff.of(later, size), extent)),
            around(group, (Store(name, place + where, Ref(acc.name, acc.dtype)),)))
    halves = Guard(Aff.of(f"{over}.h"), 1, extent), Guard(Aff.of(0, extent), size + 1, extent + 1)
    first = (acc, taken_up(place, halves[0]), taken_up(place + elements, halves[1]), summed(Aff.of(over), Clip(Aff.of(0), extent)), *after)
    blocks = Loop(later, extent - size, nested(tiles, rest), step=size)
    return record(replace(nest, scratch=kept), (*lead, blocks, *nested(tiles, first)), step)


def middle_of(extent: DimLike, size: int) -> Expr:
    """Where the second half of the blocks begins: no block of the first is missing, and none is more than a block shorter."""
    if not isinstance(extent, Dim):
        return Const((extent + size - 1) // (2 * size) * size, i64)
    half = apply("floordiv", AxisValue(Aff.of(0) + (extent + (size - 1))), Const(2 * size, i64))
    return apply("mul", half, Const(size, i64)) if size != 1 else half


def _behind(over: str, yes: Expr, no: Expr) -> Expr:
    """One value for the blocks of the second half, the other for those of the first."""
    return apply("select", apply("ge", AxisValue(Aff.of(f"{over}.b")), AxisValue(Aff.of(f"{over}.h"))), yes, no)


def block_inside(nest: Nest, over: str, inside: str, size: int) -> Nest:
    """Goes through the sums over `over`, and in each trip of it through those over `inside`, the only loop directly in it, `size` at a
    time; every tile before the next block."""
    step = f"block_inside({over}, {inside}, {size})"
    tiles, acc, outer, after = _parts(nest, over, step)
    inner = outer.body[0]
    if len(outer.body) != 1 or not isinstance(inner, Loop) or inner.var != inside or not inner.plain or isinstance(inner.extent, Dim):
        raise ScheduleError(f"{step}: {inside} is not a plain loop of static extent, and the only one directly in {over}")
    name, later = f"sums.{acc.name}", f"{inside}.b"
    group = summed_group(outer, acc, step)
    place, elements = position(group, tiles, step)

    def taken_up(guard: Guard) -> Loop:
        nothing = Const(identity(acc.op, acc.dtype), acc.dtype)
        return around(group, (Accum(acc.name, Load(name, (place,), acc.dtype, (guard,), nothing)),))

    begun = Guard(Aff.of({over: inner.extent, later: 1}), 1, outer.extent * inner.extent)
    clip = Clip(Aff.of(later), inner.extent) if inner.extent % size else None
    part = replace(inner, extent=size, body=substitute(inner.body, {inside: Aff.of({later: 1, inside: 1})}), clip=clip)
    kept = around(group, (Store(name, place, Ref(acc.name, acc.dtype)),))
    blocks = Loop(later, inner.extent, nested(tiles, (acc, taken_up(begun), part, kept)), step=size)
    ends = nested(tiles, (acc, taken_up(Guard(Aff.of(0, outer.extent), 1, outer.extent + 1)), *after))
    lead = tuple(s for s in nest.body if not isinstance(s, Loop))
    waiting = replace(nest, scratch={**nest.scratch, name: (acc.dtype, elements)})
    return record(waiting, (*lead, replace(outer, body=(blocks,)), *ends), step)


def _parts(nest: Nest, over: str, step: str, size: int = 1) -> tuple[list[Loop], Acc, Loop, tuple[Stmt, ...]]:
    """The loops around a tile, its accumulators, the loop that sums, of which each trip is a part of a `size`, and what comes after it."""
    tiles, body = _tiles(nest.body)
    if len(body) < 2 or not isinstance(body[0], Acc) or body[0].folded or any(isinstance(s, Acc) for s in statements(body[1:])):
        raise ScheduleError(f"{step}: a tile is not one block of accumulators, set to zero and summed")
    acc, inner = body[0], body[1]
    if not isinstance(inner, Loop) or inner.var != over or not replace(inner, step=1).plain or size % inner.step:
        raise ScheduleError(f"{step}: {over} is not the plain loop that sums in a tile, or counts no parts of a block")
    if any(isinstance(loop.extent, Dim) for loop in tiles):
        raise ScheduleError(f"{step}: the number of tiles is not known")
    return tiles, acc, inner, body[2:]


def _tiles(body: tuple[Stmt, ...]) -> tuple[list[Loop], tuple[Stmt, ...]]:
    """The run-time loops around the tile, and what stands in the innermost."""
    tiles: list[Loop] = []
    inside = tuple(s for s in body if isinstance(s, Loop)) if any(isinstance(s, Loop) for s in body) else body
    while len(inside) == 1 and isinstance(inside[0], Loop) and inside[0].mode == FOR:
        tiles.append(inside[0])
        inside = inside[0].body
    return tiles, inside


def summed_group(loop: Loop, acc: Acc, step: str) -> list[Loop]:
    """The unrolled and vector loops around the statement that sums, outermost first; not a loop that sums and is written out, since a sum
    waits once."""
    found = _groups(loop, acc)
    if len(found) != 1:
        raise ScheduleError(f"{step}: {acc.name} is summed in {len(found)} places")
    own = {dim.var for dim in acc.dims}
    return [loop for loop in found[0] if loop.var in own]


def _groups(loop: Loop, acc: Acc) -> list[list[Loop]]:
    """The unrolled and vector loops around each statement that sums, outermost first."""
    out: list[list[Loop]] = []

    def visit(body: tuple[Stmt, ...], outer: list[Loop]) -> None:
        for s in body:
            if isinstance(s, Loop):
                visit(s.body, [*outer, s] if s.mode != FOR else outer)
            elif isinstance(s, Accum) and s.name == acc.name:
                out.append(outer)

    visit(loop.body, [])
    return out


def position(group: list[Loop], tiles: list[Loop], step: str) -> tuple[Aff, int]:
    """Where an accumulator waits: tile after tile, and how many elements there are. Dead rows and lanes have their places too."""
    terms: dict[str, DimLike] = {}
    size = 1
    for loop in reversed(group):
        terms[loop.var] = size
        size *= int(str(loop.extent))
    for loop in reversed(tiles):
        if size % loop.step:
            raise ScheduleError(f"{step}: {loop.var} steps by {loop.step}, which is no part of a tile of {size}")
        terms[loop.var] = size // loop.step
        size *= -(-int(str(loop.extent)) // loop.step)
    return Aff.of(terms), size


def around(group: list[Loop], body: tuple[Stmt, ...]) -> Loop:
    """A body inside loops that trips of others enclose no longer: the loops `group`, outermost first, without their clips."""
    for loop in reversed(group):
        body = (replace(loop, body=body, clip=None),)
    (outer,) = body
    assert isinstance(outer, Loop)
    return outer


def nested(tiles: list[Loop], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    """A body inside loops, outermost first."""
    for loop in reversed(tiles):
        body = (replace(loop, body=body),)
    return body
