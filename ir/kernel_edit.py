"""Edits of a kernel that change names or leave out axes of one element, and the smallest kernel of all: a copy."""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.common.struct import replace

from .kernel import ACCUMULATE, LET, REDUCE, STORE, Eq, Kernel
from .scalar import Aff, AxisValue, Expr, Guard, Load, Ref, rewrite
from .types import TensorType

WRITING = (STORE, ACCUMULATE)  # equations whose name is an array's


def rename_arrays(kernel: Kernel, names: Mapping[str, str]) -> Kernel:
    """The same kernel over other array names."""
    return rename(kernel, names, {})


def rename_axes(kernel: Kernel, names: Mapping[str, str]) -> Kernel:
    """The same kernel with other axis and equation-result names (one mapping for both: they share one namespace)."""
    return rename(kernel, {}, names)


def rename(kernel: Kernel, arrays: Mapping[str, str], axes: Mapping[str, str]) -> Kernel:
    """The same kernel with other names of arrays, and of axes and equation results. Equations that stay as they are keep what is known
    about them."""
    others = frozenset([old for old, new in arrays.items() if old != new])
    changed = frozenset([old for old, new in axes.items() if old != new])
    affs = {old: Aff.of(axes[old]) for old in changed}

    def move(aff: Aff) -> Aff:
        return aff.substitute(affs)

    def change(e: Expr) -> Expr | None:
        if isinstance(e, Load):
            array = arrays[e.array] if e.array in others else e.array
            if not changed.isdisjoint(e.variables):
                guards = tuple([Guard(move(g.index), g.lo, g.hi) for g in e.guards])
                return Load(array, tuple([move(a) for a in e.index]), e.dtype, guards, e.other)
            return replace(e, array=array) if array != e.array else None
        if isinstance(e, AxisValue):
            return AxisValue(move(e.index), e.dtype) if changed else None
        if isinstance(e, Ref):
            return Ref(axes[e.name], e.dtype) if e.name in changed else None
        return None

    def renamed(q: Eq) -> Eq:
        inside = not changed.isdisjoint(q.variables) or not changed.isdisjoint(q.refs) or any(load.array in others for load in q.loads)
        name = (arrays if q.kind in WRITING else axes).get(q.name, q.name)
        expr = rewrite(q.expr, change) if inside else q.expr
        if changed.isdisjoint(q.axes) and all(changed.isdisjoint(a.variables) for a in q.index):
            return replace(q, name=name, expr=expr) if inside or name != q.name else q
        return replace(q, name=name, expr=expr, free=tuple([axes.get(a, a) for a in q.free]), over=tuple([axes.get(a, a) for a in q.over]),
                       index=tuple([move(a) for a in q.index]))

    if not others and not changed:
        return kernel
    equations = tuple([renamed(q) for q in kernel.equations])
    if changed:
        kernel = replace(kernel, axes={axes.get(a, a): n for a, n in kernel.axes.items()}, equations=equations)
    if not others:
        return kernel
    return replace(kernel, arrays={arrays.get(a, a): t for a, t in kernel.arrays.items()}, equations=equations,
                   in_place={arrays.get(a, a): arrays.get(b, b) for a, b in kernel.in_place.items()},
                   still=tuple([arrays.get(a, a) for a in kernel.still]),
                   panels={arrays.get(a, a): n for a, n in kernel.panels.items()},
                   by_row=tuple([arrays.get(a, a) for a in kernel.by_row]))


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
            return replace(e, index=tuple([move(a) for a in e.index]), guards=guards)
        return AxisValue(move(e.index), e.dtype) if isinstance(e, AxisValue) else None

    def one(q: Eq) -> Eq:
        free, over = (tuple([a for a in axes if a not in units]) for axes in (q.free, q.over))
        term = q.kind == REDUCE and not over
        return replace(q, kind=LET if term else q.kind, op="" if term else q.op, expr=rewrite(q.expr, change), free=free, over=over,
                        index=tuple([move(a) for a in q.index]))
    return replace(kernel, axes={a: n for a, n in kernel.axes.items() if a not in units},
                    equations=tuple([one(q) for q in kernel.equations]))


def copy_kernel(name: str, source: str, target: str, type_: TensorType, label: str = "") -> Kernel:
    """target[...] = source[...]."""
    axes = {f"i{n}": d for n, d in enumerate(type_.shape)}
    index = tuple(Aff.of(a) for a in axes)
    equation = Eq(STORE, target, Load(source, index, type_.dtype), tuple(axes), index=index)
    return Kernel(name, axes, {source: type_, target: type_}, (equation,), label)
