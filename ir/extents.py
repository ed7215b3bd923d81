"""Extents of a kernel as numbers that stand for them: layers that differ in nothing but their sizes have kernels of one form.

The first extent that is met is -1, the next other one -2, and so on; equal extents have equal numbers. 0, 1 and what depends on a
symbol stay themselves, and so does what is written in indices, guards and constants.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from kcompile.common.struct import replace

from .kernel import Kernel
from .types import DimLike, TensorType

Extents = tuple[int, ...]  # the extent that -1 stands for, then that of -2, ...


def numbered(kernel: Kernel) -> tuple[Kernel, Extents]:
    """The kernel with numbers in place of extents, and what they stand for."""
    found: dict[DimLike, int] = {}
    for extent in _extents(kernel):
        if isinstance(extent, int) and extent > 1 and extent not in found:
            found[extent] = -1 - len(found)
    return _changed(kernel, found), tuple([int(str(extent)) for extent in found])


def with_extents(kernel: Kernel, extents: Extents) -> Kernel:
    """The kernel with the extents that its numbers stand for."""
    return _changed(kernel, _stands_for(extents)) if extents else kernel


def renumbered(kernel: Kernel, numbers: tuple[int, ...]) -> Kernel:
    """The kernel with number -1 - numbers[n] in place of -1 - n."""
    return _changed(kernel, {-1 - n: -1 - number for n, number in enumerate(numbers)}) if numbers != tuple(range(len(numbers))) else kernel


def compact(kernel: Kernel) -> tuple[Kernel, tuple[int, ...]]:
    """A kernel that may have lost some of its extents with numbers from -1 on again, and for each the place where it was."""
    used = sorted({-1 - extent for extent in _extents(kernel) if isinstance(extent, int) and extent < 0})
    if used and used[-1] >= len(used):
        kernel = _changed(kernel, {-1 - old: -1 - n for n, old in enumerate(used)})
    return kernel, tuple(used)


def _extents(kernel: Kernel) -> list[DimLike]:
    found = list(kernel.axes.values())
    for type_ in kernel.arrays.values():
        found += type_.shape
    return found


def _changed(kernel: Kernel, extents: Mapping[DimLike, int]) -> Kernel:
    if not extents:
        return kernel
    axes = {axis: extents.get(extent, extent) for axis, extent in kernel.axes.items()}
    arrays = {name: _type(tuple([extents.get(extent, extent) for extent in type_.shape]), type_) for name, type_ in kernel.arrays.items()}
    return replace(kernel, axes=axes, arrays=arrays)


def _type(shape: tuple[DimLike, ...], like: TensorType) -> TensorType:
    return like if shape == like.shape else TensorType(shape, like.dtype)


@functools.lru_cache(maxsize=4096)
def _stands_for(extents: Extents) -> Mapping[DimLike, int]:
    return {-1 - n: extent for n, extent in enumerate(extents)}
