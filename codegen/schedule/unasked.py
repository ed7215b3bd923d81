"""unasked: nothing is asked for ahead of an array of which a table tells where each row is.

    unasked(x)    for n in 0..B                         ->  for n in 0..B
                    index n.n = min(784*n + 7840, ..)         each i.i<14 { c add= x[i.i + 784*n] * .. }
                    prefetch x[n.n]
                    each i.i<14 { c add= x[i.i + 784*n] * .. }

A request may name a place past an array's end, but no table has an entry there; and the loop over batches has asked for the rows of a
step, wherever they are, before it begins.
"""

from __future__ import annotations

from ..nest import Let, Loop, Nest, Prefetch, Stmt, Store, Transpose, expr_names, map_body, statements, stmt_expr
from .loops import ScheduleError, record


def unasked(nest: Nest, array: str) -> Nest:
    """Takes away the requests for an array, and what only they use."""
    step = f"unasked({array})"
    if not is_asked(nest, array):
        raise ScheduleError(f"{step}: nothing is asked for of {array}")
    body = map_body(nest.body, lambda s: () if isinstance(s, Prefetch) and s.array == array else None)
    asked = {var for s in statements(nest.body) if isinstance(s, Prefetch) and s.array == array for var in s.index.variables}
    left = {s.name for s in statements(body) if isinstance(s, Let) and s.index and s.name in asked} - _used(body)
    return record(nest, map_body(body, lambda s: () if isinstance(s, Let) and s.name in left else None), step)


def is_asked(nest: Nest, array: str) -> bool:
    return any(isinstance(s, Prefetch) and s.array == array for s in statements(nest.body))


def _used(body: tuple[Stmt, ...]) -> set[str]:
    """Names that stand in indices and values, and the bounds of trips."""
    used: set[str] = set()
    for stmt in statements(body):
        expr = stmt_expr(stmt)
        used |= expr_names(expr) if expr is not None else set()
        if isinstance(stmt, (Store, Transpose, Prefetch)):
            used |= stmt.index.variables
        elif isinstance(stmt, Loop):
            used |= stmt.where.index.variables if stmt.where else set()
            used |= stmt.clip.base.variables if stmt.clip else set()
    return used
