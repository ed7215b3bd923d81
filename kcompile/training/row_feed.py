"""A data set that only picks, orders and batches rows of arrays, run by the native loop: row numbers go in, no data is copied."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..data.elements import pack
from ..data.rows import RowPlan
from ..utils.packing import unpack_x_y_sample_weight
from .batch_feed import SAME_TIME, RunnerFor
from .checks import check_ranges
from .data import Array, as_batch, weights_of_classes

ROWS_AT_ONCE = 8192  # row numbers laid out for the native loop


class RowFeed:
    """Steps on batches of rows.

    plan: the row numbers, a batch at a time; element_spec: the structure its columns stand in; count: batches of a pass, where known.
    """

    def __init__(self, plan: RowPlan, element_spec: Any, runner_for: RunnerFor, class_weight: Mapping[Any, float] | None = None,
                 what: str = "", count: int | None = None, endless: bool = False) -> None:
        x, y, sample_weight = unpack_x_y_sample_weight(pack(element_spec, plan.columns))
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError(SAME_TIME)
            sample_weight = weights_of_classes(y, class_weight)
        self.batch = as_batch(x, y, sample_weight, what)
        assert plan.batch_size is not None
        self._numbers, self.batch_size, self._what = plan.numbers, plan.batch_size, what
        self.num_batches, self.endless = count, endless
        self.runner = runner_for(self.batch.spec)
        self.waited = 0.0
        self.keep_outputs: Callable[[dict[str, Array]], None] | None = None
        self._iterator: Iterator[npt.NDArray[np.int64]] | None = None
        self._group: npt.NDArray[np.int64] | None = None  # the next batch, where it is not laid out yet
        self._first = self._ready = 0  # of the batches laid out in `_order`: the next one, and how many are left
        self._order = np.zeros(max(ROWS_AT_ONCE // self.batch_size, 1) * self.batch_size, np.int64)
        self._loop: Any = None
        self._collected: dict[str, Array] = {}
        self._unchecked = self._rows_out_of_range()

    def _rows_out_of_range(self) -> bool:
        """Whether some value of the columns is out of range: then each batch is looked at, since rows may be left out."""
        try:
            check_ranges(self.runner.step.ranges, self.batch.arrays, self._what)
        except ValueError:
            return True
        return False

    def start_epoch(self) -> None:
        """Before an epoch: a new pass, unless there is one that steps_per_epoch left off in the middle."""
        if self._iterator is None or not self.has_next():
            self._iterator = self._numbers()
        if self._loop is None and self.runner.has_rows:
            self._loop, self._collected = self.runner.loop(self.batch, self._order, self.batch_size)

    def end_epoch(self) -> None:
        """After an epoch there is nothing to tell."""

    def rewind(self) -> None:
        """Begin the next epoch with a new pass."""
        self._iterator = self._group = None
        self._ready = 0

    close = rewind

    @property
    def in_pass(self) -> bool:
        """Whether there is a pass that has not come to its end."""
        return self._iterator is not None

    def skip(self, batches: int) -> None:
        """Leave out the next batches, at the beginning of a pass."""
        while batches > 0 and self.has_next():
            self._group = None
            batches -= 1

    def has_next(self) -> bool:
        if not self._ready and self._group is None and self._iterator is not None:
            self._group = next(self._iterator, None)
        return bool(self._ready) or self._group is not None

    def advance(self, most: int, budget: float) -> int:
        """Run steps natively; 0 when no rows are left."""
        if not self._ready:
            self._lay_out()
        if self._ready:
            done = int(self._loop.run(self._first, min(most, self._ready), budget))
            rows = slice(self._first * self.batch_size, (self._first + done) * self.batch_size)
            self._first, self._ready = self._first + done, self._ready - done
            if self.keep_outputs is not None:
                self.keep_outputs({name: array[rows].copy() for name, array in self._collected.items()})
            return done
        if self._group is None:
            return 0
        batch, self._group = self.batch.take(self._group), None
        check_ranges(self.runner.step.ranges, batch.arrays, self._what)
        outputs = self.runner.run(batch)
        if self.keep_outputs is not None:
            self.keep_outputs(outputs)
        return 1

    def _lay_out(self) -> None:
        """Row numbers of the next whole batches, up to one of another size (which is run by itself)."""
        size, count = self.batch_size, 0
        while self._loop is not None and (count + 1) * size <= len(self._order) and self.has_next():
            group = self._group
            assert group is not None
            if len(group) != size:
                break
            self._order[count * size:(count + 1) * size] = group
            self._group = None
            count += 1
        if count and self._unchecked:
            rows = self._order[:count * size]
            limited = {one.param: self.batch.arrays[one.param][rows] for one in self.runner.step.ranges}
            check_ranges(self.runner.step.ranges, limited, self._what)
        self._first, self._ready = 0, count
