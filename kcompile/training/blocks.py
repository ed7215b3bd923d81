"""Several batches of one size as one array each: what the native loop runs in one call."""

from __future__ import annotations

import time
from collections.abc import Iterator

import numpy as np

from .data import Batch

BLOCK_BYTES = 1 << 21
BLOCK_BATCHES = 64
WAIT_SECONDS = 0.005  # how long batches at hand wait for others


class Block:
    """count batches of `size` rows, one after another in the arrays of `batch`.

    is_good: whether all values are in range (None before it was looked at); is_placed: whether the native loop has been pointed to it.
    """

    def __init__(self, batch: Batch, size: int) -> None:
        self.batch, self.size, self.count = batch, size, batch.rows // size
        self.is_good: bool | None = None
        self.is_placed = False

    def part(self, number: int) -> Batch:
        """One of the batches."""
        if self.count == 1:
            return self.batch
        rows = slice(number * self.size, (number + 1) * self.size)
        return Batch(self.batch.spec, {name: array[rows] for name, array in self.batch.arrays.items()}, self.size)

    def room(self) -> Batch:
        """Arrays like these for as many batches as a block may have. Nothing is in them."""
        bytes_each = max(1, sum(array.nbytes for array in self.batch.arrays.values()) // self.count)
        rows = max(self.count, min(BLOCK_BATCHES, BLOCK_BYTES // bytes_each)) * self.size
        return Batch(self.batch.spec, {name: np.empty((rows, *array.shape[1:]), array.dtype)
                                       for name, array in self.batch.arrays.items()}, rows)


def joined(batches: Iterator[Batch]) -> Iterator[Block]:
    """Batches that come fast, are alike and are small, put together; a batch of another kind or size begins a new block.

    An error of the source comes after the batches before it.
    """
    group: list[Batch] = []
    error: Exception | None = None
    while error is None:
        since = time.monotonic()
        try:
            batch = next(batches, None)
        except Exception as raised:
            batch, error = None, raised
        fast = time.monotonic() - since < WAIT_SECONDS
        if group and (batch is None or not _alike(group, batch)):
            yield _block(group)
            group = []
        if batch is None:
            break
        group.append(batch)
        if not fast or len(group) == _most(batch):
            yield _block(group)
            group = []
    if error is not None:
        raise error


def _alike(group: list[Batch], batch: Batch) -> bool:
    first = group[0]
    return batch.rows == first.rows and batch.spec.key() == first.spec.key() and all(
        array.dtype == first.arrays[name].dtype for name, array in batch.arrays.items())


def _most(batch: Batch) -> int:
    size = max(1, sum(int(array.nbytes) for array in batch.arrays.values()))
    return max(1, min(BLOCK_BATCHES // 4, BLOCK_BYTES // size))


def _block(group: list[Batch]) -> Block:
    first = group[0]
    if len(group) == 1:
        return Block(first, first.rows)
    arrays = {name: np.concatenate([batch.arrays[name] for batch in group]) for name in first.arrays}
    return Block(Batch(first.spec, arrays, first.rows * len(group)), first.rows)
