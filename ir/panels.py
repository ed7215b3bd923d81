"""Kernels over arrays that lie in panels of some columns, one after the other: which may, and what they are over the memory itself.

A description says what is computed with indices of the whole array, wherever that lies (`Kernel.panels`); when it is lowered, its axis
along the columns becomes two. Which arrays lie so is decided in passes/layouts.py.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from .kernel import Eq, Kernel
from .kernel_edit import WRITING
from .program import stored_shape
from .scalar import Aff, AxisValue, Expr, Guard, Load, plain_axes, rewrite
from .types import DimLike


def in_columns(kernel: Kernel, array: str, columns: int) -> bool:
    """Whether panels of so many columns suit a kernel: it uses the array at places of plain axes alone, always with the same one along its
    columns, and with all of these."""
    places = [plain_axes(index) for index in _indices(kernel, array)]
    last = {axes[-1] if axes and kernel.axes.keys() >= set(axes) else "" for axes in places}
    extent = kernel.arrays[array].shape[-1] if kernel.arrays[array].shape else 0
    return len(last) == 1 and isinstance(extent, int) and extent % columns == 0 and all(kernel.axes.get(axis) == extent for axis in last)


def through_panels(kernel: Kernel) -> Kernel:
    """The same kernel over the memory of its arrays in panels, [columns / 32, rows, 32]: what runs along their columns runs along the
    panels and inside each."""
    if not kernel.panels:
        return kernel
    size: dict[str, int] = {}
    for array, columns in kernel.panels.items():
        (axis,) = {index[-1].terms[0][0] for index in _indices(kernel, array)}
        size[axis] = columns
    taken = {*kernel.axes, *(q.name for q in kernel.equations)}
    panel = {axis: _free(f"{axis}.panel", taken) for axis in size}
    moved = {axis: Aff.of({panel[axis]: columns, axis: 1}) for axis, columns in size.items()}
    names = frozenset(size)

    def both(axes: tuple[str, ...]) -> tuple[str, ...]:
        return tuple([part for axis in axes for part in ((panel[axis], axis) if axis in size else (axis,))])

    def move(aff: Aff) -> Aff:
        return aff if names.isdisjoint(aff.variables) else aff.substitute(moved)

    def place(array: str, index: tuple[Aff, ...]) -> tuple[Aff, ...]:
        if array not in kernel.panels:
            return tuple([move(aff) for aff in index])
        axis = index[-1].terms[0][0]
        return Aff.of(panel[axis]), *[move(aff) for aff in index[:-1]], Aff.of(axis)

    def change(e: Expr) -> Expr | None:
        if isinstance(e, Load):
            return replace(e, index=place(e.array, e.index), guards=tuple([Guard(move(g.index), g.lo, g.hi) for g in e.guards]))
        return AxisValue(move(e.index), e.dtype) if isinstance(e, AxisValue) else None

    def split(q: Eq) -> Eq:
        index = place(q.name, q.index) if q.kind in WRITING else tuple([move(aff) for aff in q.index])
        return replace(q, expr=rewrite(q.expr, change), free=both(q.free), over=both(q.over), index=index)
    axes: dict[str, DimLike] = {}
    for axis, extent in kernel.axes.items():
        if axis in size:
            axes[panel[axis]] = int(str(extent)) // size[axis]
        axes[axis] = size.get(axis, extent)
    arrays = {name: replace(type_, shape=stored_shape(type_.shape, kernel.panels[name])) if name in kernel.panels else type_
              for name, type_ in kernel.arrays.items()}
    return replace(kernel, axes=axes, arrays=arrays, equations=tuple([split(q) for q in kernel.equations]), panels={})


def _indices(kernel: Kernel, array: str) -> list[tuple[Aff, ...]]:
    """All places of an array that a kernel reads and writes."""
    return [load.index for load in kernel.loads.get(array, ())] + [q.index for q in kernel.stores.get(array, ())]


def _free(name: str, taken: set[str]) -> str:
    return name if name not in taken else _free(f"{name}s", taken)
