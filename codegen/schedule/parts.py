"""What the steps share that take a long sum part by part, with operands of a part packed: refill and repack.

The first part comes last, with what follows the sum; before it, the sums wait in private memory. So a sum that is no longer than a part
touches no memory on its way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kcompile.common.struct import replace, struct

from ...ir.scalar import Aff, Const, Expr, Guard, Load, Ref, rewrite
from ...ir.types import DType
from ..access import chain
from ..nest import FOR, VECTOR, Acc, Accum, Clip, Loop, Stmt, Store, identity, map_body, statements, substitute
from .block import around, position, summed_group
from .loops import ScheduleError

Copies = Callable[[Aff, Clip | None, tuple[Stmt, ...]], tuple[Stmt, ...]]


@struct(frozen=True)
class Packed:
    """An operand of a sum, and where one of its elements lies in the private memory that holds a part."""

    load: Load
    name: str
    place: Aff


@struct(frozen=True)
class Summing:
    """Tiles that sum: the run-time loops around the tile, outermost first, its accumulators, the loop that sums, and what comes after it;
    `group`: the unrolled and vector loops around the statement that sums, the lanes last."""

    loops: tuple[Loop, ...]
    acc: Acc
    sums: Loop
    after: tuple[Stmt, ...]
    group: tuple[Loop, ...]

    @property
    def lane(self) -> Loop:
        return next(loop for loop in self.group if loop.mode == VECTOR)

    def beside(self, load: Load) -> list[Loop]:
        """The unrolled loops with which an operand moves."""
        return [loop for loop in self.group if loop.mode != VECTOR and load.index[0].coefficient(loop.var) != 0]


def summing(body: tuple[Stmt, ...], over: str) -> Summing | None:
    """The tiles of a body whose sums over `over` may be taken part by part; None where it holds something else, or where the number of
    tiles is not known."""
    tiles = chain(body)
    inside = tiles[-1].body if tiles else body
    if len(inside) < 2 or not isinstance(inside[0], Acc) or inside[0].folded or any(isinstance(s, Acc) for s in statements(inside[1:])):
        return None
    inner = inside[1]
    if not isinstance(inner, Loop) or inner.var != over or not inner.plain or any(
            isinstance(s, Loop) and s.mode == FOR for s in inner.inside) or not all(isinstance(loop.extent, int) for loop in tiles):
        return None
    try:
        group = summed_group(inner, inside[0], "")
    except ScheduleError:  # summed in several places
        return None
    return Summing(tuple(tiles), inside[0], inner, inside[2:], tuple(group)) if any(x.mode == VECTOR for x in group) else None


def in_parts(tiles: Summing, size: int, packed: Sequence[Packed], copied: Copies, scratch: dict[str, tuple[DType, int]],
             step: str) -> tuple[Stmt, ...]:
    """The loops over the tiles, `size` terms of the sum at a time. `copied`: what takes the place of the loops around a tile in a part
    that begins there: with what fills the private memory, which ends with the sum; in front of the tile's statements."""
    acc, inner, group = tiles.acc, tiles.sums, list(tiles.group)
    over, extent = inner.var, inner.extent
    later, sums = f"{over}.b", f"sums.{acc.name}"

    def trips(moved: Aff) -> tuple[Stmt, ...]:
        """What the sum does in a part that begins there."""
        here = {over: moved + Aff.of(over)}
        near = {replace(p.load, index=(p.load.index[0].substitute(here),)): Load(p.name, (p.place,), p.load.dtype) for p in packed}

        def from_there(e: Expr) -> Expr | None:
            return near.get(e) if isinstance(e, Load) else None

        def taken(stmt: Stmt) -> tuple[Stmt, ...] | None:
            return (replace(stmt, expr=rewrite(stmt.expr, from_there)),) if isinstance(stmt, Accum) else None
        return map_body(substitute(inner.body, here), taken)

    if isinstance(extent, int) and extent <= size:
        return copied(Aff(), None, (acc, replace(inner, body=trips(Aff())), *tiles.after))
    waiting, elements = position(group, list(tiles.loops), step)
    scratch[sums] = (acc.dtype, elements)

    def summed(guard: Guard, moved: Aff) -> tuple[Stmt, ...]:
        before = Load(sums, (waiting,), acc.dtype, (guard,), Const(identity(acc.op, acc.dtype), acc.dtype))
        return acc, around(group, (Accum(acc.name, before),)), replace(inner, extent=size, body=trips(moved), clip=Clip(moved, extent))

    start = Aff.of(later, size)
    rest = (*summed(Guard(Aff.of(later), 1, extent), start), around(group, (Store(sums, waiting, Ref(acc.name, acc.dtype)),)))
    first = (*summed(Guard(Aff.of(0, extent), size + 1, extent + 1), Aff()), *tiles.after)
    parts = Loop(later, extent - size, copied(start, Clip(start, extent), rest), step=size)
    return parts, *copied(Aff(), Clip(Aff(), extent), first)


def lanes_packed(tiles: Summing, load: Load, size: int, scratch: dict[str, tuple[DType, int]]) -> Packed:
    """The operand along the lanes: the vectors that a term of a panel takes, term by term."""
    lane, width = tiles.lane, int(str(tiles.lane.extent))
    terms = {lane.var: 1}
    for loop in reversed(tiles.beside(load)):
        terms[loop.var] = width
        width *= int(str(loop.extent))
    name = f"part.{load.array}"
    scratch[name] = (load.dtype, size * width)
    return Packed(load, name, Aff.of({**terms, tiles.sums.var: width}))


def filled(tiles: Summing, packed: Packed, size: int, moved: Aff, clip: Clip | None) -> Loop:
    """The loop that fills it with the part that begins there."""
    over, index = tiles.sums.var, packed.load.index[0]
    copied = f"{over}.p"
    source = Load(packed.load.array, (index.substitute({over: moved + Aff.of(copied)}),), packed.load.dtype)
    body: tuple[Stmt, ...] = (Store(packed.name, packed.place.substitute({over: Aff.of(copied)}), source),)
    for loop in reversed([*tiles.beside(packed.load), tiles.lane]):
        body = (replace(loop, body=body),)
    return Loop(copied, size if clip else tiles.sums.extent, body, clip=clip)
