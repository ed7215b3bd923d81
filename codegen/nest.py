"""Loop nests as data: what a kernel description is lowered to, what scheduling steps rewrite, what emission walks.

A nest keeps *flat* addresses (one affine index an access), so that unit stride, reuse and collapsing are tests on
coefficients. Expressions are those of `ir.scalar`; a `Load` in a nest has exactly one index.

    parallel for j.o in 0..512 step 32
      for i.o in 0..B step 8
        acc c[i.i<8, j.i.u<2, j.i.v:vec16]: f32 = add
        for k in 0..784
          each i.i<8 if i.i + i.o < B, j.i.u<2, j.i.v:vec16
            c add= x[784*i.i + 784*i.o + k] * w[16*j.i.u + j.i.v + j.o + 512*k]
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from operator import is_not
from typing import Union

from kcompile.common.lazy import lazy
from kcompile.common.struct import replace, struct

from ..ir.scalar import Aff, AxisValue, Const, Expr, Guard, Load, Ref, loads_in, rewrite, walk
from ..ir.types import DimLike, DType, TensorType, boolean, dim_symbols
from .trips import Trips

FOR, UNROLL, VECTOR = "for", "unroll", "vec"


@struct(frozen=True)
class Clip:
    """An iteration is live where base + var < extent. A dead one stores nothing and, in a fold, counts for nothing."""

    base: Aff
    extent: DimLike


@struct(frozen=True)
class Loop:
    """`var` takes 0, step, 2*step, ... below `extent`.

    FOR: a run-time loop; a clip ends it early. UNROLL: the body once for each value; in dead iterations addresses are
    those of the last live one. VECTOR: one vector of `extent` lanes, masked by the clip.
    `parallel`: the trips are shared out among threads (perfectly nested parallel loops count as one).
    `backwards`: of the outermost of them, a thread does its share from the last trip to the first.
    `back`: a second variable, min(var, extent - step): under it the last trip steps back and is a whole one. '' for none.
    The trips of an unrolled loop, which dimensions of accumulators count, are `step` apart.
    `where`: of a plain run-time loop, the trips that are done: those where the guard, whose index grows with `var`, holds.
    `takes`: of the innermost loop that is shared, a second variable: a thread does several trips of it at once, as far as this one from
    `var` on, `most` at the most. '' where it does one after the other.
    `middle`: of a loop that is shared, a second variable: what `var` is in the middle of the thread's share, or `var` itself where other
    threads may take over a part of it from one pass to the next. '' for none.
    """

    var: str
    extent: DimLike
    body: tuple[Stmt, ...]
    step: int = 1
    mode: str = FOR
    parallel: bool = False
    clip: Clip | None = None
    back: str = ""
    where: Guard | None = None
    backwards: bool = False
    takes: str = ""
    most: int = 0
    middle: str = ""

    @property
    def plain(self) -> bool:
        """A run-time loop over 0, 1, 2, ... that does every trip, and in its turn."""
        return self.mode == FOR and self.step == 1 and not (self.clip or self.back or self.where)

    @lazy
    def inside(self) -> tuple[Stmt, ...]:
        """All statements of its body, at any depth, parents first."""
        return tuple(statements(self.body))

    @lazy
    def loads(self) -> tuple[Load, ...]:
        """Every load in its body, at any depth."""
        return tuple(all_loads(self.body))

    @lazy
    def indices(self) -> tuple[Aff, ...]:
        """Every index in its body, at any depth, those of guards and clips included."""
        out: list[Aff] = []
        for stmt in self.inside:
            if isinstance(stmt, Loop):
                out += [stmt.clip.base] if stmt.clip else []
                out += [stmt.where.index] if stmt.where else []
            if isinstance(stmt, Store):
                out.append(stmt.index)
            expr = stmt_expr(stmt)
            for e in walk(expr) if expr is not None else ():
                if isinstance(e, Load):
                    out += [*e.index, *(g.index for g in e.guards)]
                elif isinstance(e, AxisValue):
                    out.append(e.index)
        return tuple(out)

    @property
    def last_whole(self) -> int:
        """The largest value of `back`."""
        return int(str(self.extent)) - self.step


@struct(frozen=True)
class AccDim:
    """One dimension of a block of accumulators: an unrolled variable, or the lanes of a vector variable."""

    var: str
    extent: int
    vector: bool = False


@struct(frozen=True)
class Acc:
    """Declares a block of accumulators in registers, set to the identity of `op` (add, mul, max, min).

    `folded`: the variables over which a later Fold combines the block; their dead iterations add the identity.
    """

    name: str
    op: str
    dtype: DType
    dims: tuple[AccDim, ...] = ()
    folded: tuple[str, ...] = ()


@struct(frozen=True)
class Accum:
    """name = name op expr, for the accumulator of the current values of its dimensions."""

    name: str
    expr: Expr


@struct(frozen=True)
class Fold:
    """name = the accumulators of `source` combined over the variables `over`, as a balanced tree."""

    name: str
    source: str
    over: tuple[str, ...]


@struct(frozen=True)
class Let:
    """Names a value. `index`: the value may stand as a variable in indices that follow."""

    name: str
    expr: Expr
    index: bool = False


@struct(frozen=True)
class Store:
    """array[index] = expr, or, with `accumulate`, array[index] += expr."""

    array: str
    index: Aff
    expr: Expr
    accumulate: bool = False


@struct(frozen=True)
class Transpose:
    """array[index] = the let `value`, which was computed with `lanes` as the vector variable, for every setting of the
    unrolled variable `columns`: stored row by row, one vector of columns for each lane. In the index `columns` has the
    coefficient 1. The clips are those of the two variables' loops."""

    array: str
    index: Aff
    value: str
    lanes: str
    count: int
    lane_clip: Clip | None
    columns: str
    width: int
    column_clip: Clip | None


@struct(frozen=True)
class Prefetch:
    """Asks for the line of the cache in which array[index] lies, which may be past the array's end. Nothing is computed.
    `level`: of the cache that it is to come to, 1 or 2."""

    array: str
    index: Aff
    level: int = 1


@struct(frozen=True)
class Errand:
    """Asks in one of `every` trips of the loop in which it stands, a power of two, for so many lines of what the thread will do next."""

    every: int = 1
    lines: int = 1


Stmt = Union[Loop, Acc, Accum, Fold, Let, Store, Transpose, Prefetch, Errand]


@struct(frozen=True)
class Panel:
    """A copy of an array that holds still, laid out as its kernel wants it, and kept from call to call: `body` fills it when the array
    has changed."""

    array: str
    dtype: DType
    elements: int
    body: tuple[Stmt, ...]


@struct(frozen=True)
class Nest:
    """`arrays` are the kernel's, in the order of the native function's arguments; `panels` follow them. `scratch`: private to a thread,
    name -> (dtype, elements). `still`: see Kernel. `by_row`: arrays whose argument is a table with the address of each row, and the
    elements of a row; addresses here are those of the whole array all the same. `along`: see Step. `steps`: the schedule so far, one call
    each. `notes`: why it was chosen so."""

    name: str
    arrays: Mapping[str, TensorType]
    body: tuple[Stmt, ...]
    scratch: Mapping[str, tuple[DType, int]] = field(default_factory=dict)
    in_place: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    steps: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    still: tuple[str, ...] = ()
    panels: Mapping[str, Panel] = field(default_factory=dict)
    along: bool = False
    by_row: Mapping[str, int] = field(default_factory=dict)

    @lazy
    def symbols(self) -> tuple[str, ...]:
        """Every symbol that an extent or a stride depends on, sorted: the order of the native function's dims."""
        found: set[str] = set()
        for array in self.arrays.values():
            found |= array.symbols
        for stmt in statements(self.body):
            if isinstance(stmt, Loop):
                found |= dim_symbols(stmt.extent)
            for e in walk(stmt_expr(stmt) or Const(0, boolean)):
                if isinstance(e, AxisValue):  # the one place where a symbol may stand that no array or loop has
                    found |= dim_symbols(e.index.const).union(*(dim_symbols(c) for _, c in e.index.terms))
        return tuple(sorted(found))

    @lazy
    def trips(self) -> Trips:
        """How the native function's [lo, hi) is to be cut: 0 <= lo <= hi <= trips."""
        factors: list[tuple[DimLike, int]] = []
        body = self.body
        while True:
            loop = next((s for s in statements(body) if isinstance(s, Loop) and s.parallel), None)
            if loop is None:
                return Trips(tuple(factors))
            factors.append((loop.extent, loop.step))
            body = loop.body

    def dtype_of(self, array: str) -> DType:
        if array in self.panels:
            return self.panels[array].dtype
        return self.scratch[array][0] if array in self.scratch else self.arrays[array].dtype

    @property
    def arguments(self) -> tuple[str, ...]:
        """The arrays whose addresses the native function takes."""
        return (*self.arrays, *self.panels)

    def filling(self, name: str) -> Nest:
        """The nest that fills one of the panels, from the array of which it is a copy."""
        panel = self.panels[name]
        arrays = {panel.array: self.arrays[panel.array], name: TensorType((panel.elements,), panel.dtype)}
        return Nest(f"{self.name}.fill", arrays, panel.body, label=self.label)


def statements(body: tuple[Stmt, ...]) -> list[Stmt]:
    """All statements of a body, parents first."""
    out: list[Stmt] = []
    for stmt in body:
        out.append(stmt)
        if isinstance(stmt, Loop):
            out += stmt.inside
    return out


def loops(nest: Nest, var: str) -> list[Loop]:
    """Every loop over `var`, wherever it stands: steps treat them alike."""
    return [s for s in statements(nest.body) if isinstance(s, Loop) and s.var == var]


def stmt_expr(stmt: Stmt) -> Expr | None:
    """The expression that a statement evaluates; None for one that has none."""
    return stmt.expr if isinstance(stmt, (Accum, Let, Store)) else None


def all_loads(body: tuple[Stmt, ...]) -> list[Load]:
    """Every load in a body, at any depth."""
    out: list[Load] = []
    for stmt in body:
        if isinstance(stmt, Loop):
            out += stmt.loads
        elif isinstance(stmt, (Accum, Let, Store)):
            out += loads_in(stmt.expr)
    return out


def all_stores(body: tuple[Stmt, ...]) -> Iterator[Store | Transpose]:
    """Every store in a body, at any depth, transposed ones included."""
    return (s for s in statements(body) if isinstance(s, (Store, Transpose)))


def map_body(body: tuple[Stmt, ...], change: Callable[[Stmt], tuple[Stmt, ...] | None]) -> tuple[Stmt, ...]:
    """Top-down replacement: `change` returns the statements that take a statement's place (not visited again), or None
    to keep it and go on inside."""
    out: list[Stmt] = []
    for stmt in body:
        others = change(stmt)
        if others is not None:
            out.extend(others)
        elif isinstance(stmt, Loop):
            inside = map_body(stmt.body, change)
            same = len(inside) == len(stmt.body) and not any(map(is_not, inside, stmt.body))
            out.append(stmt if same else replace(stmt, body=inside))
        else:
            out.append(stmt)
    return tuple(out)


def map_indices(expr: Expr, change: Callable[[Aff], Aff]) -> Expr:
    """The expression with every affine index (of loads, guards and axis values) changed."""

    def leaf(e: Expr) -> Expr | None:
        if isinstance(e, Load):
            index = tuple([change(a) for a in e.index])
            if not e.guards and not any(map(is_not, index, e.index)):
                return None
            return Load(e.array, index, e.dtype, tuple([Guard(change(g.index), g.lo, g.hi) for g in e.guards]), e.other)
        if isinstance(e, AxisValue):
            return AxisValue(change(e.index), e.dtype)
        return None

    return rewrite(expr, leaf)


def substitute(body: tuple[Stmt, ...], mapping: Mapping[str, Aff]) -> tuple[Stmt, ...]:
    """Replaces variables by affine expressions in every index and clip of a body."""

    def change(aff: Aff) -> Aff:
        return aff.substitute(mapping) if any(v in mapping for v, _ in aff.terms) else aff

    def one(stmt: Stmt) -> Stmt:
        if isinstance(stmt, Loop):
            clip = stmt.clip and Clip(change(stmt.clip.base), stmt.clip.extent)
            where = stmt.where and Guard(change(stmt.where.index), stmt.where.lo, stmt.where.hi)
            return replace(stmt, body=tuple(one(s) for s in stmt.body), clip=clip, where=where)
        if isinstance(stmt, Store):
            return replace(stmt, index=change(stmt.index), expr=map_indices(stmt.expr, change))
        if isinstance(stmt, Prefetch):
            return replace(stmt, index=change(stmt.index))
        if isinstance(stmt, (Accum, Let)):
            return replace(stmt, expr=map_indices(stmt.expr, change))
        if isinstance(stmt, Transpose):
            if stmt.lanes in mapping or stmt.columns in mapping:
                raise ValueError("the variables of a transposed store are final")
            lane, column = (clip and Clip(change(clip.base), clip.extent) for clip in (stmt.lane_clip, stmt.column_clip))
            return replace(stmt, index=change(stmt.index), lane_clip=lane, column_clip=column)
        return stmt

    return tuple(one(s) for s in body)


def expr_names(expr: Expr) -> frozenset[str]:
    """Loop variables, index names and referenced values that an expression uses."""
    out: set[str] = set()
    for e in walk(expr):
        if isinstance(e, Load):
            for aff in e.index:
                out |= aff.variables
            for guard in e.guards:
                out |= guard.index.variables
        elif isinstance(e, AxisValue):
            out |= e.index.variables
        elif isinstance(e, Ref):
            out.add(e.name)
    return frozenset(out)


def identity(op: str, dtype: DType) -> float | int | bool:
    """What leaves every value of the dtype unchanged under `op`."""
    if op == "add":
        return 0
    if op == "mul":
        return 1
    if dtype == boolean:
        return op == "min"
    if dtype.is_float:
        return float("-inf") if op == "max" else float("inf")
    bits = 8 * dtype.size
    low, high = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)
    return low if op == "max" else high
