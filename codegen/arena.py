"""Memory that native code computes in."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

ALIGNMENT = 64


def aligned(count: int, dtype: npt.DTypeLike = np.uint8) -> npt.NDArray[Any]:
    """An uninitialised 1-d array of `count` elements on a 64-byte boundary."""
    size = np.dtype(dtype).itemsize * count
    block = np.empty(size + ALIGNMENT, np.uint8)
    start = -block.ctypes.data % ALIGNMENT
    return block[start:start + size].view(dtype)
