"""A table with the address of each row of an array, for kernels that read it row by row (`Kernel.by_row`)."""

from __future__ import annotations

import numpy as np

from .arena import aligned


class RowTable:
    """Of so many rows of so many bytes. `address`: of the table itself, which stays."""

    def __init__(self, row_bytes: int, rows: int) -> None:
        self._offsets = np.arange(rows, dtype=np.int64) * row_bytes
        self._words = aligned(rows, np.int64)
        self.address: int = self._words.ctypes.data

    def fill(self, address: int) -> None:
        """Tell where the rows of an array are that lie there one after the other."""
        np.add(self._offsets, address, out=self._words)
