"""What steps share that ask for something in each trip of a tile's sum: which sums these are, and names for places.

Scalar instructions share their ports with vectors, so that where a tile's requests begin is told before its sum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from kcompile.common.struct import struct

from ...ir.scalar import Aff, AxisValue, Expr, apply
from ..nest import FOR, Acc, Accum, Let, Loop, Nest, Stmt, map_body, statements
from .loops import ScheduleError, record


@struct(frozen=True)
class Place:
    """A tile's place: the loop that sums, the run-time loops around it, outermost first, and what stands after it."""

    sums: Loop
    around: tuple[Loop, ...]
    after: tuple[Stmt, ...]


def asking(nest: Nest, step: str, array: str, over: str, what: Callable[[Nest, Place, str], tuple[Stmt, ...]]) -> Nest:
    """The nest in which `what` stands for the sums over `over` for which it is something: they ask for lines of the array."""
    asked = {id(place.sums): found for place in places(nest.body) if place.sums.var == over and (found := what(nest, place, array))}
    if not asked:
        raise ScheduleError(f"{step}: no tile that sums over {over} knows what comes next of {array}")
    return record(nest, map_body(nest.body, lambda stmt: asked.get(id(stmt))), step)


def places(body: tuple[Stmt, ...], around: tuple[Loop, ...] = ()) -> Iterator[Place]:
    """Every tile that sums."""
    for n, stmt in enumerate(body):
        if not isinstance(stmt, Loop) or stmt.mode != FOR:
            continue
        if any(isinstance(s, Acc) for s in body[:n]) and any(isinstance(s, Accum) for s in stmt.inside) and not any(
                isinstance(s, Loop) and s.mode == FOR for s in stmt.inside):
            yield Place(stmt, around, body[n + 1:])
        else:
            yield from places(stmt.body, (*around, stmt))


def first_of(nest: Nest, over: str, *among: Aff, others: int = 0) -> tuple[Aff, tuple[Stmt, ...]]:
    """The first of these places by a name of its own, and what tells it: to look for a page that is not there can take longer than all the
    rest. `others`: names that are given at the same time."""
    return named(nest, over, least(*among), others)


def named(nest: Nest, over: str, place: Expr, others: int = 0) -> tuple[Aff, tuple[Stmt, ...]]:
    """A name of its own for a place, and what tells it."""
    taken = {s.name for s in statements(nest.body) if isinstance(s, Let) and s.index}
    names = (f"{over}.m{n or ''}" for n in range(len(taken) + others + 1))
    name = [name for name in names if name not in taken][others]
    return Aff.of(name), (Let(name, place, index=True),)


def least(*places: Aff) -> Expr:
    """The least of these indices."""
    total: Expr = AxisValue(places[0])
    for place in places[1:]:
        total = apply("min", total, AxisValue(place))
    return total
