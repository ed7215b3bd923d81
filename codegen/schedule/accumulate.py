"""Steps on what loops compute: jam (register tiles) and rfactor (private partial sums).

    jam(j)      unroll j { acc c; for k { c += ... } ; store }   ->  acc c[j]; for k { each j: c[j] += ... } each j: store
    rfactor(v)  acc s; for k { vec v { s += ... } }              ->  acc s.p[v]; for k { vec v { s.p[v] += ... } } fold s over v
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ..nest import FOR, VECTOR, Acc, AccDim, Accum, Fold, Loop, Nest, Stmt, loops, map_body, statements
from .loops import ScheduleError, record


def carried(loop: Loop) -> set[str]:
    """Accumulators that a loop updates and does not declare."""
    declared = {s.name for s in statements(loop.body) if isinstance(s, Acc)}
    return {s.name for s in statements(loop.body) if isinstance(s, Accum)} - declared


def is_leaf(stmt: Stmt) -> bool:
    """A statement, or a group of them under unrolled and vector loops alone."""
    if isinstance(stmt, Loop):
        return stmt.mode != FOR and all(is_leaf(s) for s in stmt.body)
    return not isinstance(stmt, Acc)


def jam(nest: Nest, var: str) -> Nest:
    """Pushes an unrolled or vector loop down to the statements; accumulators on the way gain its dimension.

    Neighbouring statements stay together under one copy of the loop, so that each instance runs through all of them
    before the next begins.
    """
    step = f"jam({var})"
    found = loops(nest, var)
    if not found:
        raise ScheduleError(f"{step}: nest {nest.name} has no loop {var!r}")
    private = {s.name for s in statements(nest.body) if isinstance(s, Acc) and any(d.var == var for d in s.dims)}
    for loop in found:
        if loop.mode == FOR:
            raise ScheduleError(f"{step}: the loop is not unrolled or vectorized")
        if summed := carried(loop) - private:
            raise ScheduleError(f"{step}: the loop sums {', '.join(sorted(summed))}: use rfactor")

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return _push(stmt, stmt.body) if isinstance(stmt, Loop) and stmt.var == var else None

    return record(nest, map_body(nest.body, change), step)


def _push(loop: Loop, body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    out: list[Stmt] = []
    run: list[Stmt] = []

    def close() -> None:
        if run:
            out.append(replace(loop, body=tuple(run)))
            run.clear()

    for stmt in body:
        if is_leaf(stmt):
            run.append(stmt)
            continue
        close()
        if isinstance(stmt, Acc):
            dim = AccDim(loop.var, int(str(loop.extent)), loop.mode == VECTOR)
            out.append(replace(stmt, dims=(dim, *stmt.dims)))
        else:
            assert isinstance(stmt, Loop)
            out.append(replace(stmt, body=_push(loop, stmt.body)))
    close()
    return tuple(out)


def rfactor(nest: Nest, *variables: str) -> Nest:
    """Gives each value of unrolled or vector variables its own partial result; a Fold after the loops combines them.

    The grouping of the sum changes once, here, and depends on extents and lanes alone.
    """
    step = f"rfactor({', '.join(variables)})"
    dims: dict[str, AccDim] = {}
    for var in variables:
        for loop in loops(nest, var):
            if loop.mode == FOR:
                raise ScheduleError(f"{step}: the loop {var} is not unrolled or vectorized")
            dims[var] = AccDim(var, int(str(loop.extent)), loop.mode == VECTOR)
        if var not in dims:
            raise ScheduleError(f"{step}: nest {nest.name} has no loop {var!r}")

    def body_of(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
        out: list[Stmt] = []
        renamed: dict[str, tuple[str, ...]] = {}  # accumulators of this body, and the variables they are summed over
        for stmt in body:
            if isinstance(stmt, Acc):
                over = tuple(v for v in variables if any(isinstance(s, Loop) and s.var == v and stmt.name in carried(s)
                                                         for s in statements(body)))
                if over:
                    renamed[stmt.name] = over
                    out.append(replace(stmt, name=f"{stmt.name}.p", dims=(*stmt.dims, *(dims[v] for v in over)),
                                       folded=(*stmt.folded, *over)))
                    continue
            if isinstance(stmt, Loop):
                touched = [n for n in renamed if n in carried(stmt)]
                inner = replace(stmt, body=body_of(stmt.body))
                out.append(_rename(inner, touched))
                out += [Fold(n, f"{n}.p", renamed[n]) for n in touched]
                continue
            out.append(stmt)
        return tuple(out)

    return record(nest, body_of(nest.body), step)


def _rename(loop: Loop, names: list[str]) -> Loop:
    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, Accum) and stmt.name in names:
            return (replace(stmt, name=f"{stmt.name}.p"),)
        return None

    return replace(loop, body=map_body(loop.body, change))
