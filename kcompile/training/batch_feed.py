"""Batches from a generator, a data set or another iterable, made ahead in a thread where the source allows it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ..data.prefetch import Ahead
from ..utils.packing import unpack_x_y_sample_weight
from .checks import check_ranges
from .data import Array, Batch, DataSpec, as_batch, weights_of_classes

RunnerFor = Callable[[DataSpec], Any]
MADE_AHEAD = 4  # batches
SAME_TIME = "You cannot `class_weight` and `sample_weight` at the same time."


class BatchFeed:
    """Steps on batches (x,), (x, y) or (x, y, sample_weight), or on Batch objects, from an iterable.

    ahead: how many batches a thread may make before they are needed; 0 for sources that must be asked in the caller's own thread, and
    only when an item is wanted (generators).
    """

    def __init__(self, data: Any, runner_for: RunnerFor, class_weight: Mapping[Any, float] | None = None, what: str = "",
                 ahead: int = 0, count: int | None = None, endless: bool = False) -> None:
        self._data, self._runner_for, self._class_weight, self._what, self._made_ahead = data, runner_for, class_weight, what, ahead
        self._runners: dict[str, Any] = {}
        self._iterator: Iterator[Batch] | None = None
        self._next: Batch | None = None
        self._once = hasattr(data, "__next__")  # a generator: it cannot begin again
        self.num_batches, self.endless = count, endless
        self.waited = 0.0  # seconds of this epoch in which there was no batch to work on
        self.keep_outputs: Callable[[dict[str, Array]], None] | None = None
        self.runner: Any = None

    def start_epoch(self) -> None:
        """Before an epoch: a new iterator, unless there is one that steps_per_epoch left off in the middle."""
        self.waited = 0.0
        if hasattr(self._data, "on_epoch_begin"):
            self._data.on_epoch_begin()
        if self._iterator is None:
            self._iterator = self._open()
        self._peek()
        if self._next is None and not self._once:
            self._iterator = self._open()
            self._peek()

    def end_epoch(self) -> None:
        """After an epoch."""
        if hasattr(self._data, "on_epoch_end"):
            self._data.on_epoch_end()

    def rewind(self) -> None:
        """Begin the next epoch with a new iterator, where the data can be gone through again."""
        if not self._once:
            self.close()

    def close(self) -> None:
        """Let go of the iterator and its thread."""
        if isinstance(self._iterator, Ahead):
            self._iterator.close()
        self._iterator = self._next = None

    def _open(self) -> Iterator[Batch]:
        batches = map(self._prepared, iter(self._data))
        return Ahead(batches, self._made_ahead) if self._made_ahead else batches

    def _peek(self) -> None:
        if self._next is None and self._iterator is not None:
            since = time.perf_counter()
            self._next = next(self._iterator, None)
            self.waited += time.perf_counter() - since

    def _prepared(self, item: Any) -> Batch:
        if isinstance(item, Batch):
            return item
        x, y, sample_weight = unpack_x_y_sample_weight(item)
        if self._class_weight is not None:
            if sample_weight is not None:
                raise ValueError(SAME_TIME)
            sample_weight = weights_of_classes(y, self._class_weight)
        return as_batch(x, y, sample_weight, f"{self._what}a batch of the data: ").dense()

    @property
    def in_pass(self) -> bool:
        """Whether there is an iterator that has not come to its end."""
        return self._iterator is not None

    def skip(self, batches: int) -> None:
        """Leave out the next batches; of a generator, which begins where its maker let it begin, none."""
        while batches > 0 and not self._once and self.has_next():
            self._next = None
            batches -= 1
        self._peek()
        if self._next is not None:
            self._runner_of(self._next)  # its metrics get their values back before the first step

    def _runner_of(self, batch: Batch) -> Any:
        key = batch.spec.key()
        if key not in self._runners:
            self._runners[key] = self._runner_for(batch.spec)
        return self._runners[key]

    def has_next(self) -> bool:
        self._peek()
        return self._next is not None

    def advance(self, most: int, budget: float) -> int:
        """Run one batch after another; 0 when there is none left."""
        until = time.monotonic() + budget
        done = 0
        while done < most and self.has_next():
            batch = self._next
            assert batch is not None
            self._next = None
            self.runner = self._runner_of(batch)
            check_ranges(self.runner.step.ranges, batch.arrays, self._what)
            outputs = self.runner.run(batch)
            if self.keep_outputs is not None:
                self.keep_outputs(outputs)
            done += 1
            if time.monotonic() >= until:
                break
        return done
