"""Batches from a generator, a data set or another iterable, made ahead in a thread where the source allows it.

What a thread has ready is run as a block: several batches in one native call.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from .. import tree
from ..data.prefetch import Ahead
from ..utils.packing import unpack_x_y_sample_weight
from .blocks import Block, joined
from .checks import check_ranges
from .data import Array, Batch, DataSpec, as_batch, check_batch, weights_of_classes

RunnerFor = Callable[[DataSpec], Any]
MADE_AHEAD = 2  # blocks of batches
SAME_TIME = "You cannot `class_weight` and `sample_weight` at the same time."


class BatchFeed:
    """Steps on batches (x,), (x, y) or (x, y, sample_weight), or on Batch objects, from an iterable.

    ahead: how many blocks of batches a thread may make before they are needed; 0 for sources that must be asked in the caller's own
    thread, and only when an item is wanted (generators). A source with a method `blocks` gives (structure of arrays of several batches,
    rows of a batch) pairs itself.
    """

    def __init__(self, data: Any, runner_for: RunnerFor, class_weight: Mapping[Any, float] | None = None, what: str = "",
                 ahead: int = 0, count: int | None = None, endless: bool = False) -> None:
        self._data, self._runner_for, self._class_weight, self._what, self._made_ahead = data, runner_for, class_weight, what, ahead
        self._runners: dict[str, Any] = {}
        self._loops: dict[Any, Any] = {}
        self._iterator: Iterator[Block] | None = None
        self._block: Block | None = None
        self._step = 0  # the next batch of the block
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
        if not self.has_next() and not self._once:
            self._iterator = self._open()
            self.has_next()

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
        self._iterator = self._block = None

    @property
    def in_pass(self) -> bool:
        """Whether there is an iterator that has not come to its end."""
        return self._iterator is not None

    def skip(self, batches: int) -> None:
        """Leave out the next batches; of a generator, which begins where its maker let it begin, none."""
        while batches > 0 and not self._once and self.has_next():
            assert self._block is not None
            left = min(batches, self._block.count - self._step)
            batches -= left
            self._step += left
            if self._step == self._block.count:
                self._block = None
        if self.has_next():
            assert self._block is not None
            self._runner_of(self._block.batch.spec)  # its metrics get their values back before the first step

    def _runner_of(self, spec: DataSpec) -> Any:
        key = spec.key()
        if key not in self._runners:
            self._runners[key] = self._runner_for(spec)
        return self._runners[key]

    def _open(self) -> Iterator[Block]:
        if hasattr(self._data, "blocks"):
            blocks = (Block(self._prepared(item), size) for item, size in self._data.blocks())
            return Ahead(blocks, self._made_ahead)
        batches = map(self._prepared, iter(self._data))
        if self._made_ahead:
            return Ahead(joined(batches), self._made_ahead)
        return (Block(batch, batch.rows) for batch in batches)

    def _prepared(self, item: Any) -> Batch:
        if isinstance(item, Batch):
            return item
        x, y, sample_weight = unpack_x_y_sample_weight(item)
        what = f"{self._what}a batch of the data: "
        if self._class_weight is not None:
            if sample_weight is not None:
                raise ValueError(SAME_TIME)
            sample_weight = weights_of_classes(y, self._class_weight)
        try:
            return as_batch(x, y, sample_weight, what).dense()
        except ValueError:
            check_batch([np.shape(leaf) for leaf in tree.flatten((x, y, sample_weight)) if leaf is not None], what)  # says more
            raise

    def has_next(self) -> bool:
        if self._block is None and self._iterator is not None:
            since = time.perf_counter()
            self._block, self._step = next(self._iterator, None), 0
            self.waited += time.perf_counter() - since
        return self._block is not None

    def advance(self, most: int, budget: float) -> int:
        """Run one batch after another; 0 when there is none left."""
        until = time.monotonic() + budget
        done = 0
        while done < most and self.has_next():
            block = self._block
            assert block is not None
            self.runner = self._runner_of(block.batch.spec)
            before = self._step
            loop = self._loop_for(block) if block.count > 1 else None
            if loop is None:
                self._run_one(block)
            else:
                self._run_some(block, loop, most - done, max(until - time.monotonic(), 0.0))
            done += self._step - before
            if self._step == block.count:
                self._block = None
            if time.monotonic() >= until:
                break
        return done

    def _run_one(self, block: Block) -> None:
        batch = block.part(self._step)
        check_ranges(self.runner.step.ranges, batch.arrays, self._what)
        outputs = self.runner.run(batch)
        self._step += 1
        if self.keep_outputs is not None:
            self.keep_outputs(outputs)

    def _run_some(self, block: Block, loop: Any, most: int, budget: float) -> None:
        """Several batches in one native call."""
        native, collected = loop
        if not block.is_placed:
            native.move_to({name: block.batch.arrays[name] for name in native.feeds})
            block.is_placed = True
        first = self._step
        self._step += int(native.run(first, min(most, block.count - first), min(budget, 1e6)))
        if self.keep_outputs is not None:
            rows = slice(first * block.size, self._step * block.size)
            self.keep_outputs({name: array[rows].copy() for name, array in collected.items()})

    def _loop_for(self, block: Block) -> Any:
        """A native loop for blocks like this one; None where batches must be run one by one: a value is out of range (the batches
        before it are still trained on), outputs without rows, a watched run."""
        if block.is_good is None:
            block.is_good = self.runner.has_rows and _in_range(self.runner.step.ranges, block.batch.arrays)
        if not block.is_good or self.runner.is_watched:
            return None
        kind = (block.batch.spec.key(), block.size, tuple(array.dtype for array in block.batch.arrays.values()))
        found = self._loops.get(kind)
        if found is None or found[0].rows < block.batch.rows:
            found = self._loops[kind] = self.runner.loop(block.room(), None, block.size)
        return found


def _in_range(ranges: Any, arrays: Mapping[str, Array]) -> bool:
    try:
        check_ranges(ranges, arrays)
    except ValueError:
        return False
    return True
