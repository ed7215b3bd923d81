"""Rows that are made into arrays batch by batch: SciPy sparse matrices, HDF5 data sets and their like, large strided arrays.

None of their libraries is imported: they are known by what they can do.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Rows = npt.NDArray[np.int64]
COPY_LIMIT = 1 << 28  # bytes up to which an array with gaps between its elements is copied once, for speed


class LazyRows:
    """An array [N, ...] whose rows are fetched when they are needed."""

    def __init__(self, source: Any, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.source, self.shape, self.dtype = source, shape, dtype

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def take(self, rows: Rows) -> Array:
        """The rows of these numbers, as a dense array."""
        raise NotImplementedError

    def between(self, start: int, stop: int) -> LazyRows:
        """Rows start ... stop - 1, still lazy."""
        return Part(self, start, stop)


class Part(LazyRows):
    """Some rows in a row of another's."""

    def __init__(self, whole: LazyRows, start: int, stop: int) -> None:
        super().__init__(whole, (stop - start, *whole.shape[1:]), whole.dtype)
        self._start = start

    def take(self, rows: Rows) -> Array:
        found: Array = self.source.take(rows + self._start)
        return found


class SparseRows(LazyRows):
    """A SciPy sparse matrix or array of rank 2, densified by batch."""

    def __init__(self, matrix: Any) -> None:
        rows = matrix.tocsr()
        super().__init__(rows, tuple(rows.shape), np.dtype(rows.dtype))

    def take(self, rows: Rows) -> Array:
        return np.asarray(self.source[rows].toarray())


class SlicedRows(LazyRows):
    """Something with a shape, a dtype and slices that are arrays, such as an HDF5 data set. Rows are read in their own order."""

    def __init__(self, source: Any) -> None:
        super().__init__(source, tuple(int(size) for size in source.shape), np.dtype(source.dtype))

    def take(self, rows: Rows) -> Array:
        if not len(rows) or (np.diff(rows) == 1).all():
            return np.asarray(self.source[int(rows[0]):int(rows[-1]) + 1] if len(rows) else self.source[0:0])
        sorted_rows, places = np.unique(rows, return_inverse=True)
        runs = np.split(sorted_rows, np.flatnonzero(np.diff(sorted_rows) > 1) + 1)
        return np.concatenate([np.asarray(self.source[int(run[0]):int(run[-1]) + 1]) for run in runs])[places]


class StridedRows(LazyRows):
    """A large array whose elements do not lie one after another (a part of the columns, another order of axes or bytes)."""

    def __init__(self, array: Array) -> None:
        super().__init__(array, array.shape, array.dtype.newbyteorder("="))

    def take(self, rows: Rows) -> Array:
        return np.ascontiguousarray(self.source[rows], self.dtype)


def is_sparse(value: Any) -> bool:
    """A SciPy sparse matrix or array."""
    return hasattr(value, "tocsr") and hasattr(value, "toarray")


def is_sliced(value: Any) -> bool:
    """An array on disk: shape, dtype and slices, but stored in chunks or without a conversion to numpy as a whole."""
    if isinstance(value, np.ndarray) or not all(hasattr(value, name) for name in ("shape", "dtype", "__getitem__", "__len__")):
        return False
    return hasattr(value, "chunks") or not hasattr(value, "__array__")


def lazy_rows(value: Any) -> LazyRows | None:
    """The rows of a value that should not become one array in memory; None for everything else. Raises ValueError or TypeError."""
    if isinstance(value, LazyRows):
        return value
    if is_sparse(value):
        if len(value.shape) != 2:
            raise ValueError(f"is a sparse array of rank {len(value.shape)}; expected one of rank 2, [samples, features]")
        return SparseRows(value)
    if is_sliced(value):
        if not len(value.shape):
            raise ValueError("is a scalar; expected an array whose first axis is the samples")
        return SlicedRows(value)
    if isinstance(value, np.ndarray) and value.ndim and value.nbytes > COPY_LIMIT and value.dtype.kind in "fiub" \
            and not (value.flags.c_contiguous and value.dtype.isnative):
        return StridedRows(value)
    return None
