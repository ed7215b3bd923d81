"""Kernels that find each row of an array through a table of addresses: which may.

A description says what is computed with indices of the whole array, wherever its rows lie (`Kernel.by_row`). Which arrays are read so is
decided in passes/row_tables.py.
"""

from __future__ import annotations

from .kernel import REDUCE, Kernel
from .scalar import plain_axes
from .types import is_static


def suits_table(kernel: Kernel, array: str) -> bool:
    """Whether a table of its rows suits a kernel: all it does with the matrix is to multiply and add up, at places of two plain axes. What
    goes over a whole array would have to know at each element in which row it is."""
    shape = kernel.arrays[array].shape
    if len(shape) != 2 or not is_static(shape[1]) or array in kernel.writes:
        return False
    for equation in kernel.equations:
        for load in (x for x in equation.loads if x.array == array):
            axes = plain_axes(load.index)
            if equation.kind != REDUCE or equation.op != "add" or len(equation.loads) < 2 or load.guards or not axes:
                return False
            if axes[0] == axes[1] or any(kernel.axes.get(axis) != extent for axis, extent in zip(axes, shape, strict=True)):
                return False
    return True
