"""A step for sums over an image that many tiles read side by side: sweep.

    sweep(y)        for n { for c.o { acc s ; for y in 0..16 { s += ... } ; out = s } }
                    ->  for n {
                          for y in 0..16 { for c.o { acc s ; s += sums[..] ; s += ... ; sums[..] = s } }
                          for c.o { acc s ; s += sums[..] ; out = s }
                        }

Every tile sums one trip of `y` before any sums the next; the sums wait in private memory. What a trip reads is then one stretch of
memory: a tile of 16 channels alone takes 64 bytes of every pixel, all over the image, which no processor sees coming.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Const, Guard, Load, Ref
from ..access import chain
from ..nest import Acc, Accum, Loop, Nest, Stmt, Store, identity, map_body, statements
from .block import around, nested, position, summed_group
from .loops import ScheduleError, record


def sweep(nest: Nest, over: str) -> Nest:
    """Goes through the sums over `over`, the outermost reduced loop of a tile, trip by trip, each for all tiles. The loops between the
    outermost one, which stays outside, and the tile are perfectly nested and of static extent."""
    step = f"sweep({over})"
    loops = chain(nest.body)
    if len(loops) < 2 or any(loop.parallel for loop in loops[1:]):
        raise ScheduleError(f"{step}: there are no tiles inside a loop, or threads share them")
    tiles, body = loops[1:], loops[-1].body
    if len(body) < 2 or not isinstance(body[0], Acc) or body[0].folded or any(isinstance(s, Acc) for s in statements(body[1:])):
        raise ScheduleError(f"{step}: a tile is not one block of accumulators, set to zero and summed")
    acc, inner = body[0], body[1]
    if not isinstance(inner, Loop) or inner.var != over or not inner.plain:
        raise ScheduleError(f"{step}: {over} is not the plain loop that sums in a tile")
    group = summed_group(inner, acc, step)
    name = f"sums.{acc.name}"
    place, elements = position(group, tiles, step)
    guard = (Guard(Aff.of(over), 1, inner.extent),)
    before = around(group, (Accum(acc.name, Load(name, (place,), acc.dtype, guard, Const(identity(acc.op, acc.dtype), acc.dtype))),))
    left = around(group, (Accum(acc.name, Load(name, (place,), acc.dtype)),))
    kept = around(group, (Store(name, place, Ref(acc.name, acc.dtype)),))
    swept = replace(inner, body=nested(tiles, (acc, before, *inner.body, kept)))
    rest = nested(tiles, (acc, left, *body[2:]))

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (replace(stmt, body=(swept, *rest)),) if stmt is loops[0] else None

    return record(replace(nest, scratch={**nest.scratch, name: (acc.dtype, elements)}), map_body(nest.body, change), step)

