"""Where the steps of an epoch come from: arrays (a native loop over many steps) or anything that yields batches.

A feed runs steps: `advance(most, budget)` runs up to `most` of them, for about `budget` seconds, and says how many it did.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import tree
from ..common.users_code import warn
from ..data.dataset import INFINITE
from ..data.elements import is_dataset, pack
from ..data.rows import RowPlan
from ..utils.seeds import shuffle_generator
from .batch_feed import MADE_AHEAD, SAME_TIME, BatchFeed, RunnerFor
from .checks import check_ranges
from .data import Array, Batch, as_batch, check_batch, is_arrays, weights_of_classes
from .row_feed import RowFeed
from .sources import source_of_batches


class ArrayFeed:
    """Rows of arrays, `batch_size` at a time; shuffle: in a new order each time round, or whole batches with 'batch'."""

    endless, waited = False, 0.0

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
        if self.position == 0 and self._order is not None:
            put_in_order(self._order, self.batch_size, self.shuffle, self.model)  # the native loop reads it as it goes
        if self._loop is None:
            self._loop, self.collected = self.runner.loop(self.batch, self._order, self.batch_size)

    def end_epoch(self) -> None:
        """After an epoch there is nothing to tell."""

    def rewind(self) -> None:
        """Begin the next epoch at the first row."""
        self.position = 0

    close = rewind

    @property
    def in_pass(self) -> bool:
        """Whether some rows of this time round are done and others are not."""
        return 0 < self.position < (self.num_batches or 0)

    def skip(self, batches: int) -> None:
        """Leave out the next batches."""
        self.position = min(self.position + batches, self.num_batches or 0)

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


def put_in_order(order: npt.NDArray[np.int64], batch_size: int, shuffle: bool | str, model: Any) -> None:
    """Fill in the row numbers of an epoch, from 0..N-1 each time: they depend on the generator's state alone, so that a run can be
    resumed. shuffle: False, True, or 'batch' for whole batches (a last partial one stays last)."""
    rows = len(order)
    order[:] = np.arange(rows, dtype=np.int64)
    if not shuffle:
        return
    generator = shuffle_generator(model)
    if shuffle == "batch":
        blocks = np.array_split(order.copy(), range(batch_size, rows, batch_size))
        whole, rest = (blocks, []) if len(blocks[-1]) == batch_size else (blocks[:-1], blocks[-1:])
        order[:] = np.concatenate([*(whole[n] for n in generator.permutation(len(whole))), *rest])
    else:
        generator.shuffle(order)


class LazyBatches:
    """Batches of rows that are made into arrays one batch at a time."""

    def __init__(self, batch: Batch, batch_size: int, shuffle: bool | str, model: Any) -> None:
        self._batch, self._size, self._shuffle, self._model = batch, batch_size, shuffle, model

    def __len__(self) -> int:
        return math.ceil(self._batch.rows / self._size)

    def __iter__(self) -> Iterator[Batch]:
        order = np.empty(self._batch.rows, np.int64)
        put_in_order(order, self._size, self._shuffle, self._model)
        return (self._batch.take(order[start:start + self._size]) for start in range(0, len(order), self._size))


Feed = ArrayFeed | RowFeed | BatchFeed


def make_feed(x: Any, y: Any, sample_weight: Any, runner_for: RunnerFor, batch_size: int | None, shuffle: bool | str = False,
              class_weight: Mapping[Any, float] | None = None, fixed_batch: int | None = None, what: str = "",
              model: Any = None) -> Feed:
    """A feed of whatever the user gave. Raises ValueError and TypeError for what cannot be trained on."""
    if is_arrays(x):
        if class_weight is not None:
            if sample_weight is not None:
                raise ValueError(SAME_TIME)
            sample_weight = weights_of_classes(y, class_weight)
        batch = as_batch(x, y, sample_weight, what)
        size = _batch_size(batch_size, fixed_batch, batch.rows, what)
        if batch.is_lazy:
            batches = LazyBatches(batch, size, shuffle, model)
            return BatchFeed(batches, runner_for, None, what, MADE_AHEAD, len(batches))
        feed = ArrayFeed(batch, runner_for, size, shuffle, what)
        feed.model = model
        return feed
    if isinstance(x, (str, bytes)) or not any(hasattr(x, name) for name in ("__iter__", "__next__", "__getitem__")):
        raise ValueError(f"{what}Unrecognized data type: x={x!r} (of type {type(x).__name__}); expected arrays, tensors, or a generator "
                         "or other iterable of batches")
    if y is not None or sample_weight is not None:
        title = "y" if y is not None else "sample_weight"
        raise ValueError(f"{what}When providing `x` as a generator or another source of batches, `{title}` should not be passed. "
                         f"Instead, it should be included in what the source yields.")
    checked = _checked_batches(runner_for, fixed_batch)
    if is_dataset(x):
        return _dataset_feed(x, checked, class_weight, fixed_batch, what)
    source = source_of_batches(x, shuffle, model)
    return BatchFeed(source.items, checked, class_weight, what, source.ahead, source.count, source.endless)


def _dataset_feed(dataset: Any, runner_for: RunnerFor, class_weight: Mapping[Any, float] | None, fixed: int | None,
                  what: str) -> RowFeed | BatchFeed:
    """In the native loop where the data set is no more than rows of arrays, else by batches from a thread."""
    found = dataset._count()
    count, endless = (found if found >= 0 else None), found == INFINITE
    plan = dataset._plan()
    if plan is not None and plan.is_plain and plan.batch_size is not None and (fixed is None or plan.batch_size == fixed):
        return RowFeed(plan, dataset.element_spec, runner_for, class_weight, what, count, endless)
    batches = _Batches(dataset) if plan is None or plan.batch_size is None else _BlocksOfBatches(plan, dataset.element_spec)
    return BatchFeed(batches, runner_for, class_weight, what, MADE_AHEAD, count, endless)


class _Batches:
    """The elements of a data set, which must be batches."""

    def __init__(self, dataset: Any) -> None:
        self._arrays = dataset.as_arrays()

    def __iter__(self) -> Iterator[Any]:
        for element in self._arrays:
            check_batch([np.shape(leaf) for leaf in tree.flatten(element)])
            yield element


class _BlocksOfBatches:
    """The batches of a RowPlan, many at once as they are computed."""

    def __init__(self, plan: RowPlan, element_spec: Any) -> None:
        self._plan, self._element_spec = plan, element_spec

    def blocks(self) -> Iterator[tuple[Any, int]]:
        """(the components of several batches, one after another; rows of a batch)."""
        for stacked in self._plan.blocks():
            check_batch([column.shape[1:] for column in stacked])
            count, size = stacked[0].shape[:2]
            yield pack(self._element_spec, [column.reshape(count * size, *column.shape[2:]) for column in stacked]), size


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
    warn("Your input ran out of data; interrupting training. Make sure that your dataset or generator can generate at least "
         "`steps_per_epoch * epochs` batches. You may need to use the `.repeat()` function when building your "
         "dataset.")
