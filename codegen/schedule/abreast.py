"""abreast: neighbouring lanes of a tile's vectors take terms of a sum side by side, where columns fill whole vectors badly.

    abreast(w, k, 2)      (the lanes of a vector are 16, of which its columns take half)
        acc c[i<4, j.u<5, j.v:vec8]                           acc c.p[i<4, j.u<5, j.v:vec8, k.v:vec2] folded k.v
        for k in 0..37                                        for k in 0..36 step 2
          each i<4, j.u<5, j.v:vec8                     ->      each i<4, j.u<5, j.v:vec8, k.v:vec2
            c add= x[.. + k] * pack.w[40*k + 8*j.u + j.v]         c.p add= x[.. + k + k.v] * pack.w[40*k + 16*j.u + 2*j.v + k.v]
                                                              each i<4, j.u<5, j.v:vec8, k.v:vec2
                                                                c.p add= (x[.. + k.v + 36] if 0 <= k.v < 1 else 0.0) * pack.w[...]
        each i<4, j.u<5, j.v:vec8                             each i<4, j.u<5, j.v:vec8
          y = c                                                 fold c = c.p over k.v
                                                                y = c

Two elements, or four, that lie one after the other come to all lanes by one load, as one element does. So 40 columns are five vectors
of two terms each, where they were three for two and a half. The panel is packed with the terms of each column side by side, and zeros for
terms that are not there.
"""

from __future__ import annotations

from collections.abc import Callable

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Const, Expr, Guard, Load, Ref, loads_in, rewrite
from ..nest import FOR, UNROLL, VECTOR, Acc, AccDim, Accum, Fold, Let, Loop, Nest, Stmt, Store, map_body, statements, stmt_expr
from .lead import tile_sums
from .loops import record, refuse


def abreast(nest: Nest, array: str, over: str, ways: int, count: int = 1) -> Nest:
    """Takes `ways` terms along `over` side by side, `count` times in each trip; `array` has been packed whole."""
    step = f"abreast({array}, {over}, {ways}{f', {count}' if count > 1 else ''})"
    refuse(step, why_not_abreast(nest, array, over))
    sums = {id(loop): loop for loop, _ in tile_sums(nest.body)}
    (acc,) = (s for s in statements(nest.body) if isinstance(s, Acc))
    extent = int(str(next(iter(sums.values())).extent))
    name, term, filled = f"pack.{array}", f"{over}.v", f"{over}.p"
    rounded, lanes = -(-extent // ways) * ways, [d.var for d in acc.dims]

    def place(index: Aff) -> Aff:
        """Where a packed element lies, with the terms of each column side by side."""
        spread = {var: by * ways if var in lanes else by if var in (over, filled) else int(str(by)) // extent * rounded
                  for var, by in index.terms}
        return Aff.of({**spread, term: 1}, index.const)

    def terms(body: tuple[Stmt, ...], at: Aff, left: int = 0) -> tuple[Stmt, ...]:
        """The sums of a trip for the terms from `at` on; of the last ones there are but `left`."""

        def leaf(e: Expr) -> Expr | None:
            if not isinstance(e, Load):
                return None
            if e.array == name:
                return Load(name, (place(e.index[0]).substitute({over: at}),), e.dtype)
            guards = (*e.guards, Guard(Aff.of(term), 0, left)) if left and over in e.index[0].variables else e.guards
            other = Const(0.0, e.dtype) if guards else None
            return Load(e.array, (e.index[0].substitute({over: at + Aff.of(term)}),), e.dtype, guards, other)

        return _innermost(body, lambda inside: (Loop(term, ways, tuple(
            replace(s, name=f"{s.name}.p", expr=rewrite(s.expr, leaf)) for s in inside if isinstance(s, Accum)), mode=VECTOR),))

    def summed(loop: Loop) -> tuple[Stmt, ...]:
        number, several = f"{over}.t", ways * count
        whole = extent // several * several
        out: list[Stmt] = []
        if whole:
            body = terms(loop.body, Aff.of({over: 1, number: ways}) if count > 1 else Aff.of(over))
            out.append(replace(loop, extent=whole, step=several, body=(Loop(number, count, body, mode=UNROLL),) if count > 1 else body))
        if rest := (extent - whole) // ways:
            out.append(Loop(number, rest, terms(loop.body, Aff.of({number: ways}, whole)), mode=UNROLL))
        if left := extent % ways:
            out += terms(loop.body, Aff.of({}, extent - left), left)
        return tuple(out)

    def filling(loop: Loop) -> Loop:
        """The panel is filled with as many terms side by side."""

        def row(inside: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
            (store,) = inside
            assert isinstance(store, Store) and isinstance(store.expr, Load)
            at = store.expr.index[0].substitute({filled: Aff.of({filled: 1, term: 1})})
            guards = (Guard(Aff.of({filled: 1, term: 1}), 0, extent),) if rounded > extent else ()
            value = Load(array, (at,), store.expr.dtype, guards, Const(0.0, store.expr.dtype) if guards else None)
            return (Loop(term, ways, (Store(name, place(store.index), value),), mode=VECTOR),)

        return replace(loop, step=ways, body=_innermost(loop.body, row))

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, Acc):
            dim = AccDim(term, ways, True)
            return (replace(stmt, name=f"{acc.name}.p", dims=(*stmt.dims, dim), folded=(*stmt.folded, term)),)
        if isinstance(stmt, Loop) and stmt.var == filled:
            return (filling(stmt),)
        if id(stmt) in sums and isinstance(stmt, Loop):
            return summed(stmt)
        if isinstance(stmt, Loop) and stmt.mode != FOR and _reads(stmt, acc.name):
            return _innermost((stmt,), lambda inside: (Fold(acc.name, f"{acc.name}.p", (term,)), *inside))
        return None

    dtype, elements = nest.scratch[name]
    packed = replace(nest, scratch={**nest.scratch, name: (dtype, elements // extent * rounded)})
    return record(packed, map_body(nest.body, change), step)


def why_not_abreast(nest: Nest, array: str, over: str) -> str:
    """What stands against `abreast`; '' for nothing."""
    sums = [loop for loop, _ in tile_sums(nest.body)]
    accs = [s for s in statements(nest.body) if isinstance(s, Acc)]
    if f"pack.{array}" not in nest.scratch or not any(isinstance(s, Loop) and s.var == f"{over}.p" for s in statements(nest.body)):
        return f"{array} has not been packed whole"
    if len(accs) != 1 or accs[0].op != "add" or accs[0].folded or not accs[0].dims or not accs[0].dims[-1].vector:
        return "the nest has not one tile of sums"
    if not sums or any(loop.var != over or not loop.plain or not isinstance(loop.extent, int) for loop in sums):
        return f"{over} is not the plain loop of known length that sums"
    loads = [e for loop in sums for s in loop.inside if isinstance(s, Accum) for e in loads_in(s.expr)]
    if any(isinstance(s, Loop) and s.mode == FOR for loop in sums for s in loop.inside) or any(
            e.array != f"pack.{array}" and e.index[0].coefficient(over) != 1 for e in loads):
        return f"what is not packed is not contiguous along {over}"
    if any(over in g.index.variables for e in loads for g in e.guards):
        return f"a guard decides by {over}"
    return ""


def _reads(loop: Loop, name: str) -> bool:
    return any(isinstance(s, (Let, Store)) and (e := stmt_expr(s)) is not None and _refers(e, name) for s in statements(loop.body))


def _refers(expr: Expr, name: str) -> bool:
    found = False

    def leaf(e: Expr) -> Expr | None:
        nonlocal found
        found = found or (isinstance(e, Ref) and e.name == name)
        return None

    rewrite(expr, leaf)
    return found


def _innermost(body: tuple[Stmt, ...], change: Callable[[tuple[Stmt, ...]], tuple[Stmt, ...]]) -> tuple[Stmt, ...]:
    """Groups of statements with what is in their innermost loops changed."""
    if not any(isinstance(s, Loop) for s in body):
        return change(body)
    return tuple(replace(s, body=_innermost(s.body, change)) if isinstance(s, Loop) else s for s in body)
