"""What a strategy asks of a nest: which loops it has, how each access moves with each variable, how much work there is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from kcompile.common.struct import struct

from ..ir.scalar import SCALAR_OPS, Aff, Apply, AxisValue, Expr, Guard, loads_in, walk
from ..ir.types import Dim, DimLike, DType
from .nest import FOR, VECTOR, Acc, Accum, Let, Loop, Nest, Stmt, all_loads, all_stores, expr_names, statements, stmt_expr
from .target import Target

MANY = 128  # what a symbolic extent may well be, where the question is what no longer fits a cache
TYPICAL = 32  # what a symbolic extent is taken for when work is estimated; it never changes results


@struct(frozen=True)
class Access:
    """One load or store: its array, flat index and guards, and whether it is a store."""

    array: str
    index: Aff
    guards: tuple[Guard, ...]
    store: bool
    dtype: DType

    def coefficient(self, var: str) -> DimLike:
        return self.index.coefficient(var)

    def depends_on(self, var: str) -> bool:
        return var in self.index.variables or any(var in g.index.variables for g in self.guards)


def accesses(nest: Nest, body: tuple[Stmt, ...]) -> list[Access]:
    """Every load and store of a body, loads first."""
    out = [Access(x.array, x.index[0], x.guards, False, x.dtype) for x in all_loads(body)]
    return out + [Access(s.array, s.index, (), True, nest.dtype_of(s.array)) for s in all_stores(body)]


def indirect(access: Access, nest: Nest, var: str) -> bool:
    """Whether an index let that moves along `var` takes part in the index."""
    others = access.index.variables - {var}
    lets = [s for s in statements(nest.body) if isinstance(s, Let)] if others else []
    if not any(stmt.name in others for stmt in lets):
        return False
    moving = {var}
    for stmt in lets:
        if expr_names(stmt.expr) & moving:
            moving.add(stmt.name)
    return bool(others & moving)


def chain(body: tuple[Stmt, ...]) -> list[Loop]:
    """The perfectly nested loops at the top of a body, after leading lets."""
    rest: list[Stmt] = [s for s in body if not isinstance(s, Let)]
    out: list[Loop] = []
    while len(rest) == 1 and isinstance(rest[0], Loop) and rest[0].mode == FOR:
        out.append(rest[0])
        rest = list(rest[0].body)
    return out


def inner_loops(body: tuple[Stmt, ...]) -> Iterator[Loop]:
    """The loops of a body at any depth, outermost first."""
    return (s for s in statements(body) if isinstance(s, Loop))


def has_accumulators(body: tuple[Stmt, ...]) -> bool:
    """Whether anything in the body is reduced."""
    return any(isinstance(s, Acc) for s in statements(body))


def guess(extent: DimLike, symbols: int = TYPICAL) -> int:
    """The extent, with one number for every symbol."""
    return extent.evaluate(dict.fromkeys(extent.symbols, symbols)) if isinstance(extent, Dim) else int(extent)


def static(extent: DimLike) -> int | None:
    """The extent as a number; None where it depends on a symbol."""
    return None if isinstance(extent, Dim) else int(extent)


def divisor(extent: DimLike) -> int:
    """The largest number that surely divides an extent."""
    return math.gcd(*(factor for _, factor in extent.terms)) if isinstance(extent, Dim) else int(extent)


def expr_cost(expr: Expr) -> int:
    """Rough instructions of one evaluation, loads and the store included."""
    cost: int = 1 + sum(SCALAR_OPS[x.fn].cost for x in walk(expr) if isinstance(x, Apply))
    return cost + len(loads_in(expr))


def body_cost(body: tuple[Stmt, ...]) -> int:
    """Rough vector instructions of one execution of a body."""
    total = 0
    for stmt in body:
        if isinstance(stmt, Loop):
            total += body_cost(stmt.body) * (1 if stmt.mode == VECTOR else -(-guess(stmt.extent) // stmt.step))
        else:
            expr = stmt_expr(stmt)
            total += expr_cost(expr) if expr is not None else 1
    return total


def leaf_cost(body: tuple[Stmt, ...]) -> int:
    """The cost of the dearest run of statements in the innermost loops."""
    inner = [leaf_cost(s.body) for s in body if isinstance(s, Loop)]
    own = sum(expr_cost(e) for e in map(stmt_expr, body) if e is not None)
    return max([own, *inner])


def lanes_for(nest: Nest, target: Target, var: str) -> int:
    """Lanes of a vector along `var`: as many as the widest element that moves or is computed along it."""
    dtypes = {a.dtype for a in accesses(nest, nest.body) if a.store or a.depends_on(var)}
    for stmt in statements(nest.body):
        if isinstance(stmt, Acc):
            dtypes.add(stmt.dtype)
        expr = stmt_expr(stmt)
        for x in walk(expr) if expr is not None else ():
            if (isinstance(x, Apply) and x.dtype.is_float) or (isinstance(x, AxisValue) and isinstance(stmt, Accum)):
                dtypes.add(x.dtype)
    return min(target.lanes(d) for d in dtypes)


def useful_lanes(nest: Nest, target: Target, loop: Loop) -> int:
    """Lanes of a vector along a loop: fewer than the target has where most would be dead."""
    lanes = lanes_for(nest, target, loop.var)
    extent = static(loop.extent)
    while extent is not None and lanes >= 2 * extent and lanes > 2:
        lanes //= 2
    return lanes
