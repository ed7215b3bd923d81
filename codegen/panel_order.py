"""The memory of a matrix in panels (see ir/panels.py) and row by row: copies from one order to the other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def in_panels(matrix: Array, columns: int) -> Array:
    """A copy of a matrix [rows, n * columns] as panels [n, rows, columns]."""
    return np.ascontiguousarray(matrix.reshape(len(matrix), -1, columns).transpose(1, 0, 2))


def in_rows(panels: Array) -> Array:
    """A copy of panels [n, rows, columns] as the matrix [rows, n * columns]."""
    return np.ascontiguousarray(panels.transpose(1, 0, 2)).reshape(panels.shape[1], -1)
