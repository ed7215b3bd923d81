"""trim: a sum whose terms vanish where a guard fails runs over the others alone.

    for ky in 0..3                                          for ky in 0..3 where 2 <= ky + y < 13
      for o in 0..64                                  ->      for o in 0..64
        c add= x[... if 2 <= ky + y < 13] * w[...]              c add= x[...] * w[...]

The terms that are left keep their order. A factor that is infinite or a NaN beside an element that is not there counts
for nothing, as that element does.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Expr, Guard, Load, rewrite, vanishing
from ..access import inner_loops
from ..nest import Acc, Accum, Loop, Nest, Stmt, loops, map_body, statements
from .loops import ScheduleError, record


def trim(nest: Nest, var: str) -> Nest:
    """Gives each sum over `var` the bounds of a guard that all its terms have; other loops over it stay as they are."""
    step = f"trim({var})"
    bounds = {id(loop): bound(nest, loop) for loop in loops(nest, var)}
    if not any(bounds.values()):
        raise ScheduleError(f"{step}: no loop over {var} is a sum whose terms share a guard that moves with it")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        guard = bounds.get(id(stmt))
        if guard is None or not isinstance(stmt, Loop):
            return None
        return (replace(stmt, where=guard, body=map_body(stmt.body, lambda s: _without(s, guard))),)

    return record(nest, map_body(nest.body, change), step)


def bound(nest: Nest, loop: Loop) -> Guard | None:
    """A guard that decides which trips of the loop add anything; None where there is none."""
    if not loop.plain or loop.parallel:
        return None
    inside = statements(loop.body)
    sums = [s for s in inside if isinstance(s, Accum)]
    added = {s.name for s in statements(nest.body) if isinstance(s, Acc) and s.op == "add"}
    if not sums or any(not isinstance(s, (Accum, Loop)) for s in inside) or any(s.name not in added for s in sums):
        return None
    bound_later = {s.var for s in inner_loops(loop.body)}
    shared = set.intersection(*(set(vanishing(s.expr)) for s in sums))
    for guard in sorted(shared, key=str):
        moves = guard.index.coefficient(loop.var)
        if isinstance(moves, int) and moves > 0 and not guard.index.variables & bound_later:
            return guard
    return None


def _without(stmt: Stmt, guard: Guard) -> tuple[Stmt, ...] | None:
    if not isinstance(stmt, Accum):
        return None

    def leaf(e: Expr) -> Expr | None:
        if not isinstance(e, Load) or guard not in e.guards:
            return None
        rest = tuple(g for g in e.guards if g != guard)
        return replace(e, guards=rest, other=e.other if rest else None)

    return (replace(stmt, expr=rewrite(stmt.expr, leaf)),)
