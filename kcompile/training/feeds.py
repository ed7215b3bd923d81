"""Where the steps of an epoch come from: arrays (a native loop over many steps) or anything that yields batches.

A feed runs steps: `advance(most, budget)` runs up to `most` of them, for about `budget` seconds, and says how many it did.
"""

from __future__ import annotations

import math
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ..utils.packing import unpack_x_y_sample_weight
from ..utils.seeds import shuffle_generator
from .checks import check_ranges
from .data import Array, Batch, DataSpec, as_batch, is_arrays, weights_of_classes

RunnerFor = Callable[[DataSpec], Any]


class ArrayFeed:
    """Rows of arrays, `batch_size` at a time; shuffle: in a new order each time round, or whole batches with 'batch'."""

    def __init__(self, batch: Batch, runner_for: RunnerFor, batch_size: int, shuffle: bool | str = False, what: str = "") -> None:
        self.batch, self.batch_size, self.shuffle = batch, batch_size, shuffle
        self.num_batches: int | None = math.ceil(batch.rows / batch_size)
        self.runner = runner_for(batch.spec)
        check_ranges(self.runner.step.ranges, batch.arrays, what)
        self._order: npt.NDArray[np.int64] | None = np.arange(batch.rows, dtype=np.int64) if shuffle else None
        self._loop: Any = None
        self.position = 0
        self.collected: dict[str, Array] = {}
        self.model: Any = None  # may bring a generator of row orders of its own

    def start_epoch(self) -> None:
        """Before an epoch: begin again at the first row, unless steps_per_epoch left off in the middle."""
        if self.position >= (self.num_batches or 0):
            self.position = 0
        if self.position == 0:
            self._shuffle()
        if self._loop is None:
            self._loop, self.collected = self.runner.loop(self.batch, self._order, self.batch_size)

    def rewind(self) -> None:
        """Begin the next epoch at the first row."""
        self.position = 0

    def _shuffle(self) -> None:
        """A new order, in place: the native loop reads it as it goes."""
        if self._order is None:
            return
        generator = shuffle_generator(self.model)
        if self.shuffle == "batch":
            blocks = np.array_split(np.arange(self.batch.rows, dtype=np.int64),
                                    range(self.batch_size, self.batch.rows, self.batch_size))
            whole, rest = (blocks, []) if len(blocks[-1]) == self.batch_size else (blocks[:-1], blocks[-1:])
            self._order[:] = np.concatenate([*(whole[n] for n in generator.permutation(len(whole))), *rest])
        else:
            # from 0..N-1 each time: the order depends on the generator's state alone, so that a run can be resumed
            self._order[:] = np.arange(self.batch.rows, dtype=np.int64)
            generator.shuffle(self._order)

    def has_next(self) -> bool:
        return self.position < (self.num_batches or 0)

    def advance(self, most: int, budget: float) -> int:
        """Run steps natively; 0 when no rows are left."""
        assert self.num_batches is not None
        left = min(most, self.num_batches - self.position)
        if left <= 0:
            return 0
        done = int(self._loop.run(self.position, left, budget))
        self.position += done
        return done


class BatchFeed:
    """Batches from a generator or another iterable of (x,), (x, y) or (x, y, sample_weight)."""

    def __init__(self, data: Any, runner_for: RunnerFor, class_weight: Mapping[Any, float] | None = None, what: str = "") -> None:
        self._data, self._runner_for, self._class_weight, self._what = data, runner_for, class_weight, what
        self._runners: dict[str, Any] = {}
        self._iterator: Iterator[Any] | None = None
        self._next: Any = None
        self._once = hasattr(data, "__next__")  # a generator: it cannot begin again
        self.num_batches: int | None = _length(data)
        self.collected: dict[str, Array] = {}
        self.keep_outputs: Callable[[dict[str, Array]], None] | None = None
        self.runner: Any = None
        self.last: Batch | None = None

    def start_epoch(self) -> None:
        """Before an epoch: a new iterator, unless there is one that steps_per_epoch left off in the middle."""
        if self._iterator is None:
            self._iterator = iter(self._data)
        self._peek()
        if self._next is None and not self._once:
            self._iterator = iter(self._data)
            self._peek()

    def rewind(self) -> None:
        """Begin the next epoch with a new iterator, where the data can be gone through again."""
        if not self._once:
            self._iterator = self._next = None

    def _peek(self) -> None:
        if self._next is None and self._iterator is not None:
            item = next(self._iterator, None)
            self._next = None if item is None else self._prepared(item)

    def _prepared(self, item: Any) -> Batch:
        x, y, sample_weight = unpack_x_y_sample_weight(item)
        if self._class_weight is not None:
            if sample_weight is not None:
                raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
            sample_weight = weights_of_classes(y, self._class_weight)
        return as_batch(x, y, sample_weight, f"{self._what}a batch of the data: ")

    def has_next(self) -> bool:
        self._peek()
        return self._next is not None

    def first(self) -> Batch | None:
        """The next batch, which stays next."""
        self.start_epoch()
        return self._next  # type: ignore[no-any-return]

    def advance(self, most: int, budget: float) -> int:
        """Run one batch after another; 0 when there is none left."""
        until = time.monotonic() + budget
        done = 0
        while done < most and self.has_next():
            batch: Batch = self._next
            self._next = None
            key = batch.spec.key()
            if key not in self._runners:
                self._runners[key] = self._runner_for(batch.spec)
            self.runner = self._runners[key]
            check_ranges(self.runner.step.ranges, batch.arrays, self._what)
            outputs = self.runner.run(batch)
            self.last = batch
            if self.keep_outputs is not None:
                self.keep_outputs(outputs)
            done += 1
            if time.monotonic() >= until:
                break
        return done


def _length(data: Any) -> int | None:
    """How many batches there are, where the source can tell: a data set may be endless, or not know."""
    try:
        return len(data)
    except TypeError:
        return None


def make_feed(x: Any, y: Any, sample_weight: Any, runner_for: RunnerFor, batch_size: int | None, shuffle: bool | str = False,
              class_weight: Mapping[Any, float] | None = None, fixed_batch: int | None = None, what: str = "") -> ArrayFeed | BatchFeed:
    """A feed of whatever the user gave. Raises ValueError and TypeError for what cannot be trained on."""
    if is_arrays(x):
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError("You cannot `class_weight` and `sample_weight` at the same time.")
            sample_weight = weights_of_classes(y, class_weight)
        batch = as_batch(x, y, sample_weight, what)
        return ArrayFeed(batch, runner_for, _batch_size(batch_size, fixed_batch, batch.rows, what), shuffle, what)
    if not hasattr(x, "__iter__") and not hasattr(x, "__next__"):
        raise ValueError(f"{what}Unrecognized data type: x={x!r} (of type {type(x).__name__}); expected arrays, tensors, or a generator "
                         "or other iterable of batches")
    if y is not None or sample_weight is not None:
        title = "y" if y is not None else "sample_weight"
        raise ValueError(f"{what}When providing `x` as a generator or another source of batches, `{title}` should not be passed. "
                         f"Instead, it "
                         "should be included in what the source yields.")
    return BatchFeed(x, _checked_batches(runner_for, fixed_batch), class_weight, what)


def _checked_batches(runner_for: RunnerFor, fixed_batch: int | None) -> RunnerFor:
    if fixed_batch is None:
        return runner_for
    from .fixed import FixedRunner

    return lambda spec: FixedRunner(runner_for(spec), fixed_batch)


def _batch_size(given: int | None, fixed: int | None, rows: int, what: str) -> int:
    size = given if given is not None else fixed if fixed is not None else 32
    if isinstance(size, bool) or not isinstance(size, (int, np.integer)) or size < 1:
        raise ValueError(f"{what}`batch_size` must be a positive integer, received {given!r}")
    if fixed is not None:
        if size != fixed:
            raise ValueError(f"{what}the model's Input has a fixed batch size of {fixed}, but batch_size={size} was given")
        if rows % fixed:
            raise ValueError(f"{what}the model's Input has a fixed batch size of {fixed}, but the data has {rows} samples: the last "
                             f"batch would "
                             f"have {rows % fixed}")
    return int(size)


def warn_out_of_data() -> None:
    """The data ended before steps_per_epoch steps."""
    warnings.warn("Your input ran out of data; interrupting training. Make sure that your dataset or generator can generate at least "
                  "`steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function when building your "
                  "dataset.", stacklevel=4)
