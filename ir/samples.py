"""Kernels that treat the samples of a batch apart, so that several of them can go through a few samples before they take the next few.

    store a[n, y, x, c] = max(t[n, y, x, c] * s[c] + b[c], 0)
    store u[n, y, x, c] = add over ky, kx of a[n, y + ky, x + kx, c] * w[ky, kx, c]

What the second one reads of a row of `a` the first one has made of the same row of `t`: whoever does both for the same rows needs
nobody else's. A row of an array is what its first dimension counts; arrays that are views of one another agree about which part of
the memory belongs to which part of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from .kernel import ACCUMULATE, REDUCE, STORE, Kernel
from .scalar import Aff
from .types import DimLike, dim_symbols, evaluate_dim, is_static

LARGER = 2  # times as large as what goes in or what comes out


class Samples:
    """What the kernels of a program share, and whether they share it sample by sample. `root`: the owner of an array's storage."""

    def __init__(self, kernels: Sequence[Kernel], root: Callable[[str], str]) -> None:
        self.kernels = kernels
        self.reads = [frozenset(map(root, kernel.reads)) for kernel in kernels]
        self.writes = [frozenset(map(root, kernel.writes)) for kernel in kernels]
        self.apart = [frozenset[str]() if axis is None else _apart(kernel, axis, root)
                      for kernel, axis in ((kernel, sample_axis(kernel)) for kernel in kernels)]

    def linked(self, earlier: int, later: int) -> bool:
        """Whether what the later kernel has to wait for is what the earlier one does for the same samples."""
        both = self.apart[earlier] & self.apart[later]
        return bool(both) and self.crossing(earlier, later) <= both

    def through(self, sizes: Mapping[str, DimLike], temps: Collection[str], near: int) -> Samples:
        """These, where a kernel may go along with another only for the sake of one of the `temps` that nobody else sees, that a map
        makes or reads, of which a sample has `near` bytes at most (more come from memory all the same), and that is at least twice as
        large as what goes into the first or comes out of the second. `sizes`: in bytes, by the owner of the storage."""
        return _Through(self, sizes, temps, near)

    def crossing(self, earlier: int, later: int) -> frozenset[str]:
        """The memory that one writes and the other uses."""
        wrote = self.writes[earlier]
        return (wrote & self.reads[later]) | (wrote & self.writes[later]) | (self.reads[earlier] & self.writes[later])


class _Through(Samples):
    def __init__(self, given: Samples, sizes: Mapping[str, DimLike], temps: Collection[str], near: int) -> None:
        self.kernels, self.temps, self.near = given.kernels, temps, near
        self.reads, self.writes, self.apart = given.reads, given.writes, given.apart
        self.sizes = {root: evaluate_dim(size, dict.fromkeys(dim_symbols(size), 1)) for root, size in sizes.items()}
        self.users: dict[str, set[int]] = {}
        for n, (read, written) in enumerate(zip(given.reads, given.writes, strict=True)):
            for root in read | written:
                self.users.setdefault(root, set()).add(n)

    def linked(self, earlier: int, later: int) -> bool:
        return super().linked(earlier, later) and all(self._swells(root, earlier, later) for root in self.crossing(earlier, later))

    def _swells(self, root: str, earlier: int, later: int) -> bool:
        if root not in self.temps or self.users[root] != {earlier, later} or self.sizes[root] > self.near:
            return False
        ends = ((earlier, self.reads[earlier] & self.apart[earlier]), (later, self.writes[later] & self.apart[later]))
        return any(REDUCE not in self.kernels[n].sorts and self.sizes[root] >= LARGER * sum(self.sizes[x] for x in around)
                   for n, around in ends)


def sample_axis(kernel: Kernel) -> str | None:
    """The axis along the batch of a kernel all of whose results have it as their first dimension; None where there is none."""
    symbolic = [axis for axis, extent in kernel.axes.items() if not is_static(extent)]
    if len(symbolic) != 1 or ACCUMULATE in kernel.sorts:
        return None
    (axis,) = symbolic
    return axis if all(_of_own_row(kernel, array, axis) for array in kernel.writes) else None


def _apart(kernel: Kernel, axis: str, root: Callable[[str], str]) -> frozenset[str]:
    """The memory of which the kernel uses nothing but the row that it is at."""
    across = {root(array) for array in kernel.arrays if not _of_own_row(kernel, array, axis)}
    return frozenset(root(array) for array in kernel.arrays) - across


def _of_own_row(kernel: Kernel, array: str, axis: str) -> bool:
    shape = kernel.arrays[array].shape
    if not shape or shape[0] != kernel.axes[axis]:
        return False
    indices = [load.index for load in kernel.loads.get(array, ())] + [q.index for q in kernel.stores.get(array, ()) if q.kind == STORE]
    return all(index[0] == Aff.of(axis) for index in indices)
