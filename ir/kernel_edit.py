"""Edits of a kernel that change names or leave out axes of one element, and the smallest kernel of all: a copy."""

from __future__ import annotations

from collections.abc import Mapping

from kcompile.common.struct import replace

from .kernel import ACCUMULATE, LET, REDUCE, STORE, Eq, Kernel
from .scalar import Aff, AxisValue, Expr, Guard, Load, Ref, rewrite
from .types import TensorType

WRITING = (STORE, ACCUMULATE)  # equations whose name is an array's


def rename_arrays(kernel: Kernel, names: Mapping[str, str]) -> Kernel:
    """The same kernel over other array names. Equations that stay as they are keep what is known about them."""
    changed = {old for old, new in names.items() if old != new}
    if not changed:
        return kernel

    def change(e: Expr) -> Expr | None:
        return replace(e, array=names[e.array]) if isinstance(e, Load) and e.array in changed else None

    def rename(q: Eq) -> Eq:
        writes = q.kind in WRITING and q.name in changed
        reads = any(load.array in changed for load in q.loads)
        if not writes and not reads:
            return q
        return replace(q, expr=rewrite(q.expr, change) if reads else q.expr, name=names[q.name] if writes else q.name)
    arrays = {names.get(a, a): t for a, t in kernel.arrays.items()}
    in_place = {names.get(a, a): names.get(b, b) for a, b in kernel.in_place.items()}
    still = tuple([names.get(a, a) for a in kernel.still])
    panels = {names.get(a, a): n for a, n in kernel.panels.items()}
    by_row = tuple([names.get(a, a) for a in kernel.by_row])
    return replace(kernel, arrays=arrays, equations=tuple([rename(q) for q in kernel.equations]), in_place=in_place, still=still,
                    panels=panels, by_row=by_row)


def rename_axes(kernel: Kernel, names: Mapping[str, str]) -> Kernel:
    """The same kernel with other axis and equation-result names (one mapping for both: they share one namespace).

    Equations that stay as they are keep what is known about them."""
    changed = frozenset([old for old, new in names.items() if old != new])
    if not changed:
        return kernel
    affs = {old: Aff.of(names[old]) for old in changed}

    def move(aff: Aff) -> Aff:
        return aff.substitute(affs)

    def change(e: Expr) -> Expr | None:
        if isinstance(e, Load):
            if changed.isdisjoint(e.variables):
                return None
            guards = tuple([Guard(move(g.index), g.lo, g.hi) for g in e.guards])
            return replace(e, index=tuple([move(a) for a in e.index]), guards=guards)
        if isinstance(e, AxisValue):
            return AxisValue(move(e.index), e.dtype)
        if isinstance(e, Ref):
            return Ref(names[e.name], e.dtype) if e.name in changed else None
        return None

    def rename(q: Eq) -> Eq:
        inside = not changed.isdisjoint(q.variables) or not changed.isdisjoint(q.refs)
        name = names.get(q.name, q.name) if q.kind not in WRITING else q.name
        if not inside and name == q.name and changed.isdisjoint(q.free) and changed.isdisjoint(q.over) \
                and all(changed.isdisjoint(a.variables) for a in q.index):
            return q
        return replace(q, name=name, expr=rewrite(q.expr, change) if inside else q.expr,
                        free=tuple([names.get(a, a) for a in q.free]), over=tuple([names.get(a, a) for a in q.over]),
                        index=tuple([move(a) for a in q.index]))
    return replace(kernel, axes={names.get(a, a): n for a, n in kernel.axes.items()},
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
