"""RowPlan: a pipeline that only picks, orders and batches rows of arrays, as a stream of row numbers and functions of rows.

`fit` hands such a stream to the native loop, which gathers the rows itself; nothing of the source is copied. Functions of
single elements commute with every change of order, so that they wait until the rows they are needed for are known.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from .elements import Array, Element

# (stacked components of n elements, n) -> stacked components of the results
StackedFunction = Callable[[Sequence[Array], int], list[Array]]
CHUNK_BYTES = 1 << 21
CHUNK_ELEMENTS = 4096


@dataclass(frozen=True)
class RowPlan:
    """columns: arrays [N, ...]; numbers: a pass over row numbers (ints; where `batch_size` is set, an int64 array a batch).

    row_functions act on single rows, batch_functions on batches.
    """

    columns: tuple[Array, ...]
    numbers: Callable[[], Iterator[Any]]
    row_functions: tuple[StackedFunction, ...] = ()
    batch_size: int | None = None
    batch_functions: tuple[StackedFunction, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether the elements are rows as they stand in the columns."""
        return not self.row_functions and not self.batch_functions

    def reordered(self, reorder: Callable[[Callable[[], Iterator[Any]]], Iterator[Any]]) -> RowPlan:
        """The plan with another order of elements."""
        numbers = self.numbers
        return replace(self, numbers=lambda: reorder(numbers))

    def mapped(self, function: StackedFunction) -> RowPlan:
        """The plan with a function of elements after the others."""
        if self.batch_size is None:
            return replace(self, row_functions=(*self.row_functions, function))
        return replace(self, batch_functions=(*self.batch_functions, function))

    def batched(self, size: int, drop_remainder: bool) -> RowPlan | None:
        """The plan in batches; None where it has batches already."""
        if self.batch_size is not None:
            return None
        numbers = self.numbers

        def groups() -> Iterator[npt.NDArray[np.int64]]:
            rows = numbers()
            while True:
                group = np.fromiter(itertools.islice(rows, size), np.int64)
                if len(group) < size:
                    if len(group) and not drop_remainder:
                        yield group
                    return
                yield group

        return replace(self, numbers=groups, batch_size=size)

    def elements(self) -> Iterator[Element]:
        """The elements themselves."""
        if self.batch_size is not None:
            for stacked in self.blocks():
                for number in range(len(stacked[0])):
                    yield tuple(column[number] for column in stacked)
        elif self.is_plain:
            for row in self.numbers():
                yield tuple(_row(column, row) for column in self.columns)
        else:
            for stacked in self._row_blocks():
                for number in range(len(stacked[0])):
                    yield tuple(_row(column, number) for column in stacked)

    def _row_blocks(self) -> Iterator[list[Array]]:
        """Stacked elements, more and more at once: the first is there soon, and later ones cost little."""
        numbers, most, size = self.numbers(), self._chunk(1), 1
        while True:
            rows = np.fromiter(itertools.islice(numbers, size), np.int64)
            if not len(rows):
                return
            yield self._computed(rows)
            size = min(size * 2, most)

    def blocks(self) -> Iterator[list[Array]]:
        """Batches stacked: lists of components [batches, rows of a batch, ...], all batches of a block of one size."""
        assert self.batch_size is not None
        most, size = self._chunk(self.batch_size), 1
        waiting: list[npt.NDArray[np.int64]] = []
        for group in self.numbers():
            if waiting and (len(waiting) == size or len(group) != len(waiting[0])):
                yield self._batches(waiting)
                waiting, size = [], min(size * 2, most)
            waiting.append(group)
        if waiting:
            yield self._batches(waiting)

    def _batches(self, groups: list[npt.NDArray[np.int64]]) -> list[Array]:
        count, rows = len(groups), len(groups[0])
        stacked = self._computed(groups[0] if count == 1 else np.concatenate(groups))
        stacked = [column.reshape(count, rows, *column.shape[1:]) for column in stacked]
        for function in self.batch_functions:
            stacked = function(stacked, count)
        return stacked

    def _computed(self, rows: npt.NDArray[np.int64]) -> list[Array]:
        stacked: list[Array] = [column[rows] for column in self.columns]
        for function in self.row_functions:
            stacked = function(stacked, len(rows))
        return stacked

    def _chunk(self, rows: int) -> int:
        """How many elements of so many rows to compute at once."""
        row = sum(column[:1].nbytes for column in self.columns)
        return int(min(max(CHUNK_BYTES // max(row * rows, 1), 1), CHUNK_ELEMENTS))


def _row(column: Array, number: int) -> Any:
    """One row, an array also where it is a scalar."""
    return column[number] if column.ndim > 1 else column[number, ...]
