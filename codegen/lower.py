"""Kernel description -> unscheduled loop nest.

The axes that are free in every reduction and store become the outer loops. The equations are grouped into passes over
the remaining axes: a new pass begins where an equation uses a reduction of the current one. A `let` is evaluated again
in each pass that uses it, or kept in a row buffer where it is dear (an exponential, a division, ...).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field

from kcompile.common.struct import struct

from ..ir.kernel import ACCUMULATE, INDEX, LET, REDUCE, STORE, Eq, Kernel, expr_refs, expr_variables
from ..ir.kernel_edit import without_unit_axes
from ..ir.panels import through_panels
from ..ir.scalar import SCALAR_OPS, Aff, Apply, Expr, Load, Ref, loads_in, rewrite, walk
from ..ir.types import DimLike, DType, Shape, is_static, product
from .nest import Acc, Accum, Let, Loop, Nest, Stmt, Store

DEAR = 6  # a let of at least this cost is kept in a row buffer rather than evaluated twice
ROW_BUFFER_BYTES = 128 << 10  # row buffers lie on the stack of a worker


@struct(frozen=False)
class _Pass:
    """Statements under one set of loops (`rest`, outermost first); `before` and `after` stand around the loops.

    `outer` is the number of leading loops inside which `before` and `after` stand.
    """

    rest: tuple[str, ...]
    outer: int = 0
    before: list[Stmt] = field(default_factory=list)
    body: list[Stmt] = field(default_factory=list)
    after: list[Stmt] = field(default_factory=list)
    lets: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)


def lower(kernel: Kernel, along: bool = False) -> Nest:
    """The nest that evaluates the kernel one element at a time; `along`: see Step. Raises ValueError for a description that contradicts
    itself."""
    return _Lowering(without_unit_axes(through_panels(kernel)), along).run()


def flat(index: Sequence[Aff], shape: Shape) -> Aff:
    """The row-major offset of an index."""
    total = Aff()
    stride: DimLike = 1
    for aff, extent in zip(reversed(index), reversed(shape), strict=True):
        total = total + aff * stride
        stride = stride * extent
    return total


class _Lowering:
    def __init__(self, kernel: Kernel, along: bool) -> None:
        self.kernel, self.along = kernel, along
        self.order = tuple(kernel.axes)
        self.equations = {e.name: e for e in kernel.equations if e.kind in (LET, REDUCE, INDEX)}
        self.uses = {id(e): self._names_in(e) for e in kernel.equations}  # asked for many times
        self.users: dict[str, list[Eq]] = {name: [] for name in self.equations}
        for e in kernel.equations:
            for name in self.uses[id(e)]:
                self.users[name].append(e)
        anchors = [e for e in kernel.equations if e.kind not in (LET, INDEX)]
        if not any(e.kind in (STORE, ACCUMULATE) for e in anchors):
            raise ValueError(f"kernel {kernel.name} stores nothing")
        self.common = tuple(a for a in self.order if all(a in e.free for e in anchors))
        self.needs: dict[str, frozenset[str]] = {}
        for e in kernel.equations:
            if e.kind in (LET, INDEX):
                self.needs[e.name] = self._axes_of(e.expr)
            elif e.kind == REDUCE:
                self.needs[e.name] = frozenset(e.free)
        self.passes: list[_Pass] = []
        self.made_in: dict[str, int] = {}  # reductions, and lets that stand outside loops: the pass that makes them
        self.scratch: dict[str, tuple[DType, int]] = {}
        self.buffered: dict[str, Load] = {}
        self.kept_in: dict[str, int] = {}  # lets in row buffers: the pass that fills the row

    def run(self) -> Nest:
        kernel = self.kernel
        preamble: list[Stmt] = []
        for e in kernel.equations:
            if e.kind in (LET, INDEX):
                if not self.needs[e.name] and not self._refers_to_reduction(e):
                    preamble.append(self._let(e))
                    self.made_in[e.name] = -1
                    continue
                if not self._rest(self.needs[e.name]):
                    self._place(e)
            else:
                self._place(e)
        body: list[Stmt] = []
        for p in self.passes:
            body.extend(self._assemble(p))
        nested = tuple(body)
        for axis in reversed(self.common):
            nested = (Loop(axis, kernel.axes[axis], nested),)
        return Nest(kernel.name, dict(kernel.arrays), (*preamble, *nested), self.scratch, dict(kernel.in_place), kernel.label,
                    still=kernel.still, along=self.along,
                    by_row={a: int(str(kernel.arrays[a].shape[-1])) for a in kernel.by_row})

    # What equations depend on

    def _axes_of(self, expr: Expr) -> frozenset[str]:
        out: set[str] = set()
        for name in expr_variables(expr) | expr_refs(expr):
            if name in self.kernel.axes:
                out.add(name)
            elif name in self.needs:
                out |= self.needs[name]
            else:
                raise ValueError(f"kernel {self.kernel.name}: {name!r} is used before any equation defines it")
        return frozenset(out)

    def _rest(self, axes: frozenset[str]) -> tuple[str, ...]:
        return tuple(a for a in self.order if a in axes and a not in self.common)

    def _used(self, e: Eq) -> list[str]:
        """Names of earlier equations that this one uses directly."""
        return self.uses[id(e)]

    def _names_in(self, e: Eq) -> list[str]:
        names = set(expr_refs(e.expr)) | set(expr_variables(e.expr))
        for aff in e.index:
            names |= aff.variables
        return [n for n in self.equations if n in names]

    def _refers_to_reduction(self, e: Eq) -> bool:
        return any(self.equations[n].kind == REDUCE or self._refers_to_reduction(self.equations[n]) for n in self._used(e))

    # Passes

    def _place(self, e: Eq) -> None:
        """Puts one equation into the first pass where what it needs is ready."""
        inner_reduce = e.kind == REDUCE and bool(self._rest(frozenset(e.free)))
        rest = self._rest(frozenset(e.free) | frozenset(e.over) | self._index_axes(e))
        if e.kind in (LET, INDEX):
            rest = ()
        if inner_reduce:
            free = self._rest(frozenset(e.free))
            rest = (*free, *(a for a in rest if a not in free))
        earliest = 0
        for name in self._used(e):
            earliest = max(earliest, self._ready(name, rest))
        if e.kind in (STORE, ACCUMULATE):
            alias = self.kernel.in_place.get(e.name)
            for n, p in enumerate(self.passes):
                if alias in p.reads:
                    earliest = max(earliest, n)
        number = next((n for n in range(earliest, len(self.passes)) if self.passes[n].rest == rest and not inner_reduce
                       and not self.passes[n].outer), None)
        if number is None:
            self.passes.append(_Pass(rest))
            number = len(self.passes) - 1
        p = self.passes[number]
        self._supply(e, number)
        expr = self._expr(e.expr, number)
        p.reads |= {x.array for x in loads_in(expr)}
        if e.kind == REDUCE:
            p.before.append(Acc(e.name, e.op, e.expr.dtype))
            p.body.append(Accum(e.name, expr))
            if inner_reduce:
                p.outer = len(self._rest(frozenset(e.free)))
                self._buffer(e, p)
            self.made_in[e.name] = number
        elif e.kind in (LET, INDEX):
            p.body.append(Let(e.name, expr, e.kind == INDEX))
            self.made_in[e.name] = number
        else:
            index = flat(e.index, self.kernel.arrays[e.name].shape)
            p.body.append(Store(e.name, index, expr, e.kind == ACCUMULATE))

    def _index_axes(self, e: Eq) -> frozenset[str]:
        out: set[str] = set()
        for aff in e.index:
            for v in aff.variables:
                out |= {v} if v in self.kernel.axes else self.needs[v]
        return frozenset(out)

    def _ready(self, name: str, rest: tuple[str, ...]) -> int:
        """The first pass in which an equation over `rest` may use `name`."""
        if name in self.made_in:
            made = self.made_in[name]
            if made < 0:
                return 0
            same_level = not rest and not self.passes[made].rest and self.equations[name].kind != REDUCE
            return made if same_level else made + 1
        if name in self.kept_in:
            return self.kept_in[name]
        return max((self._ready(n, rest) for n in self._used(self.equations[name])), default=0)

    def _supply(self, e: Eq, number: int) -> None:
        """Makes the lets that `e` uses, inside pass `number`, where they are not there yet."""
        p = self.passes[number]
        for name in self._used(e):
            source = self.equations[name]
            if name in self.made_in or name in p.lets:
                continue
            self._supply(source, number)
            p.lets.add(name)
            if name in self.buffered:
                p.body.append(Let(name, self.buffered[name], source.kind == INDEX))
                continue
            expr = self._expr(source.expr, number)
            p.reads |= {x.array for x in loads_in(expr)}
            p.body.append(Let(name, expr, source.kind == INDEX))
            if self._keep(source, number):
                self._buffer(source, p)
                self.kept_in[name] = number

    def _keep(self, e: Eq, number: int) -> bool:
        """Whether a let's value is to be kept for later passes."""
        rest = self._rest(self.needs[e.name])
        if e.kind == INDEX or not rest or rest != self.passes[number].rest or not self._used_after(e, number):
            return False
        aliased = set(self.kernel.in_place.values())
        must = any(x.array in aliased for x in loads_in(e.expr))
        size = product(self.kernel.axes[a] for a in rest)
        if not is_static(size) or int(str(size)) * e.expr.dtype.size > ROW_BUFFER_BYTES:
            if must:
                raise ValueError(f"kernel {self.kernel.name}: {e.name} reads an array that is overwritten in place, and its row is "
                                 "too long to be kept")
            return False
        return must or self._cost(e.expr) >= DEAR

    def _used_after(self, e: Eq, number: int) -> bool:
        """Whether some equation that cannot stand in pass `number` uses `e`, directly or through other lets."""
        for u in self.users[e.name]:
            if u.kind in (LET, INDEX) and u.name not in self.made_in:
                if self._used_after(u, number):
                    return True
                continue
            ready = max((self._ready(n, self._rest(frozenset(u.axes))) for n in self._used(u)), default=0)
            if ready > number or self._depends_on_pass(u, number):
                return True
        return False

    def _depends_on_pass(self, e: Eq, number: int) -> bool:
        """Whether `e` needs a reduction that is made in pass `number` or not yet made."""
        for name in self._used(e):
            source = self.equations[name]
            if source.kind == REDUCE and self.made_in.get(name, number) >= number:
                return True
            if source.kind != REDUCE and self._depends_on_pass(source, number):
                return True
        return False

    def _cost(self, expr: Expr) -> int:
        total = 0
        for x in walk(expr):
            if isinstance(x, Apply):
                total += SCALAR_OPS[x.fn].cost
            elif isinstance(x, Ref) and self.equations[x.name].kind == LET and x.name not in self.buffered:
                total += self._cost(self.equations[x.name].expr)
        return total

    def _buffer(self, e: Eq, p: _Pass) -> None:
        """Keeps the value of `e`, over its axes beyond the common ones, in memory that is private to the thread."""
        rest = self._rest(self.needs[e.name])
        extents = tuple(self.kernel.axes[a] for a in rest)
        size = product(extents)
        if not is_static(size) or int(str(size)) * e.expr.dtype.size > ROW_BUFFER_BYTES:
            raise ValueError(f"kernel {self.kernel.name}: a row of {e.name} over {', '.join(rest)} ({size} elements) cannot be kept")
        name = f"row.{e.name}"
        index = flat([Aff.of(a) for a in rest], extents)
        self.scratch[name] = (e.expr.dtype, int(str(size)))
        self.buffered[e.name] = Load(name, (index,), e.expr.dtype)
        (p.after if e.kind == REDUCE else p.body).append(Store(name, index, Ref(e.name, e.expr.dtype)))

    # Statements

    def _let(self, e: Eq) -> Let:
        return Let(e.name, self._expr(e.expr, -1), e.kind == INDEX)

    def _expr(self, expr: Expr, number: int) -> Expr:
        arrays = self.kernel.arrays

        def leaf(x: Expr) -> Expr | None:
            if isinstance(x, Load):
                return Load(x.array, (flat(x.index, arrays[x.array].shape),), x.dtype, x.guards, x.other)
            if isinstance(x, Ref) and x.name in self.buffered and self.equations[x.name].kind == REDUCE:
                return self.buffered[x.name]
            return None

        return rewrite(expr, leaf)

    def _assemble(self, p: _Pass) -> list[Stmt]:
        def nest(axes: tuple[str, ...], body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
            for axis in reversed(axes):
                body = (Loop(axis, self.kernel.axes[axis], body),)
            return body

        inner = nest(p.rest[p.outer:], tuple(p.body))
        return list(nest(p.rest[:p.outer], (*p.before, *inner, *p.after)))


