"""Edits of a kernel that change names or leave out axes of one element, and the smallest kernel of all: a copy."""

from __future__ import annotations

from collections.abc import Mapping

from .kernel import ACCUMULATE, LET, REDUCE, STORE, Eq, Kernel
from .replaced import replaced
from .scalar import Aff, AxisValue, Expr, Guard, Load, Ref, rewrite
from .types import TensorType

WRITING = (STORE, ACCUMULATE)  # equations whose name is an array's


def rename_arrays(kernel: Kernel, names: Mapping[str, str]) -> Kernel:
    """The same kernel over other array names."""
    def change(e: Expr) -> Expr | None:
        return replaced(e, array=names.get(e.array, e.array)) if isinstance(e, Load) else None
    equations = tuple([
        replaced(q, expr=rewrite(q.expr, change), name=names.get(q.name, q.name) if q.kind in WRITING else q.name)
        for q in kernel.equations
    ])
    arrays = {names.get(a, a): t for a, t in kernel.arrays.items()}
    in_place = {names.get(a, a): names.get(b, b) for a, b in kernel.in_place.items()}
    still = tuple([names.get(a, a) for a in kernel.still])
    return replaced(kernel, arrays=arrays, equations=equations, in_place=in_place, still=still)


def rename_axes(kernel: Kernel, names: Mapping[str, str]) -> Kernel:
    """The same kernel with other axis and equation-result names (one mapping for both: they share one namespace)."""
    if all(a == b for a, b in names.items()):
        return kernel
    affs = {old: Aff.of(new) for old, new in names.items()}

    def move(aff: Aff) -> Aff:
        return aff.substitute(affs)

    def change(e: Expr) -> Expr | None:
        if isinstance(e, Load):
            guards = tuple(Guard(move(g.index), g.lo, g.hi) for g in e.guards)
            return replaced(e, index=tuple([move(a) for a in e.index]), guards=guards)
        if isinstance(e, AxisValue):
            return AxisValue(move(e.index), e.dtype)
        if isinstance(e, Ref):
            return Ref(names.get(e.name, e.name), e.dtype)
        return None

    def rename(q: Eq) -> Eq:
        local = q.kind not in WRITING
        return replaced(q, name=names.get(q.name, q.name) if local else q.name, expr=rewrite(q.expr, change),
                        free=tuple([names.get(a, a) for a in q.free]), over=tuple([names.get(a, a) for a in q.over]),
                        index=tuple([move(a) for a in q.index]))
    return replaced(kernel, axes={names.get(a, a): n for a, n in kernel.axes.items()},
                    equations=tuple([rename(q) for q in kernel.equations]))


def without_unit_axes(kernel: Kernel) -> Kernel:
    """The same kernel without the axes of one element: their index is 0, and a sum over nothing else is its term."""
    units = {axis for axis, extent in kernel.axes.items() if extent == 1}
    if not units:
        return kernel
    zeros = dict.fromkeys(units, Aff())

    def move(aff: Aff) -> Aff:
        return aff.substitute(zeros) if aff.variables & units else aff

    def change(e: Expr) -> Expr | None:
        if isinstance(e, Load):
            guards = tuple(Guard(move(g.index), g.lo, g.hi) for g in e.guards)
            return replaced(e, index=tuple([move(a) for a in e.index]), guards=guards)
        return AxisValue(move(e.index), e.dtype) if isinstance(e, AxisValue) else None

    def one(q: Eq) -> Eq:
        free, over = (tuple([a for a in axes if a not in units]) for axes in (q.free, q.over))
        term = q.kind == REDUCE and not over
        return replaced(q, kind=LET if term else q.kind, op="" if term else q.op, expr=rewrite(q.expr, change), free=free, over=over,
                        index=tuple([move(a) for a in q.index]))
    return replaced(kernel, axes={a: n for a, n in kernel.axes.items() if a not in units},
                    equations=tuple([one(q) for q in kernel.equations]))


def copy_kernel(name: str, source: str, target: str, type_: TensorType, label: str = "") -> Kernel:
    """target[...] = source[...]."""
    axes = {f"i{n}": d for n, d in enumerate(type_.shape)}
    index = tuple(Aff.of(a) for a in axes)
    equation = Eq(STORE, target, Load(source, index, type_.dtype), tuple(axes), index=index)
    return Kernel(name, axes, {source: type_, target: type_}, (equation,), label)
