"""An epilogue in two stages, for `behind`: the last operation on the divider, with all that comes after it, is done some vectors later.

    vn = v*b + g*g*c ; m = mn ; w = w - mn / (sqrt(vn) + e)
    ->  vn = v*b + g*g*c ; m = mn ; late.r = sqrt(vn) ; late.mn = mn          of one vector, and meanwhile
        r = late.r ; mn = late.mn ; w = w - mn / (r + e)                      of an earlier one

A root that a division waits for takes as long as a trip of a sum has work beside it. What waits for either takes the few places from
which a processor chooses what to begin next, until products wait there in vain. In two trips neither waits for the other. What the second
stage needs of the first lies in private memory meanwhile.
"""

from __future__ import annotations

from kcompile.common.struct import replace, struct

from ...ir.scalar import Aff, Apply, Const, Expr, Load, Ref, apply, rewrite, walk
from ...ir.types import DType
from ..nest import Let, Loop, Nest, Store, stmt_expr

DIVIDED = ("div", "sqrt", "rsqrt")  # what takes the divider, and hardly anything else

Value = Let | Store


@struct(frozen=True)
class Stages:
    """Two bodies of a loop over lanes, and the values that the first leaves to the second: private arrays, of a dtype each."""

    early: Loop
    late: Loop
    kept: dict[str, DType]


def divides(expr: Expr | None) -> bool:
    """Whether an expression holds the divider: a division or a root of floats."""
    return expr is not None and any(isinstance(e, Apply) and e.fn in DIVIDED and e.dtype.is_float for e in walk(expr))


def in_stages(nest: Nest, lane: Loop, number: Aff) -> Stages | None:
    """The stages of an epilogue that stands in a loop over lanes, of the vector of that number; None where no operation on the divider
    waits for another."""
    body = _one_at_a_time([s for s in lane.body if isinstance(s, (Let, Store))])
    waits = _waits(body)
    last = max((before for stmt, before in zip(body, waits, strict=True) if divides(stmt_expr(stmt))), default=0)
    if last == 0:
        return None
    late = [before >= last for before in waits]
    read = {load.array for stmt, after in zip(body, late, strict=True) if after for load in _loads(stmt)}
    late = [after or (isinstance(s, Store) and nest.in_place.get(s.array, s.array) in read) for s, after in zip(body, late, strict=True)]
    first, second = ([s for s, after in zip(body, late, strict=True) if after is wanted] for wanted in (False, True))
    lets = {s.name: s for s in first if isinstance(s, Let)}
    needed = {name: lets[name] for s in second for name in _refs(s) if name in lets}
    if any(let.index for let in lets.values()) or any(not let.expr.dtype.is_float for let in needed.values()):
        return None
    at = number * int(str(lane.extent)) + Aff.of(lane.var)
    given = [Store(f"late.{name}", at, Ref(name, let.expr.dtype)) for name, let in needed.items()]
    taken = [Let(name, Load(f"late.{name}", (at,), let.expr.dtype)) for name, let in needed.items()]
    kept = {f"late.{name}": let.expr.dtype for name, let in needed.items()}
    return Stages(replace(lane, body=(*first, *given)), replace(lane, body=(*taken, *second)), kept)


def _one_at_a_time(body: list[Value]) -> list[Value]:
    """The statements, with a name for each operation on the divider that another one in the same expression waits for."""
    out: list[Value] = []
    taken = {s.name for s in body if isinstance(s, Let)}
    for stmt in body:
        def change(e: Expr) -> Expr | None:
            if not isinstance(e, Apply) or e.fn not in DIVIDED or not e.dtype.is_float:
                return None
            if e.fn == "rsqrt":  # which is defined as this quotient
                e = apply("div", Const(1.0, e.dtype), apply("sqrt", e.args[0]))
            return apply(e.fn, *(rewrite(arg, name_it) for arg in e.args))

        def name_it(e: Expr) -> Expr | None:
            if not isinstance(e, Apply) or e.fn not in DIVIDED or not e.dtype.is_float:
                return None
            name = next(n for n in (f"r{k or ''}" for k in range(len(taken) + 1)) if n not in taken)
            taken.add(name)
            out.append(Let(name, e))
            return Ref(name, e.dtype)

        expr = rewrite(stmt.expr, change)
        out.append(replace(stmt, expr=expr))
    return out


def _waits(body: list[Value]) -> list[int]:
    """How many operations on the divider, one after the other, come before what a statement does with it."""
    after: dict[str, int] = {}
    out = []
    for stmt in body:
        before = max((after.get(name, 0) for name in _refs(stmt)), default=0)
        out.append(before)
        if isinstance(stmt, Let):
            after[stmt.name] = before + divides(stmt.expr)
    return out


def _refs(stmt: Value) -> list[str]:
    return [e.name for e in walk(stmt.expr) if isinstance(e, Ref)]


def _loads(stmt: Value) -> list[Load]:
    return [e for e in walk(stmt.expr) if isinstance(e, Load)]
