"""Many steps in one native call: gathered rows in, rows of outputs out, nothing of Python in between.

Two frames take turns, a third serves a last, smaller batch (loop_frames.py); what moves from step to step (a pointer into a source or
a sink, the half of a staging buffer) is a table the native loop applies. See runtime/looping.py for the loop itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ..ir.types import Dim, dtype_of
from .arena import aligned
from .feed import gather_function
from .runtime import layout

if TYPE_CHECKING:
    from .executable import Executable

Array = npt.NDArray[Any]
_BATCH = Dim.symbol("B")
AHEAD_PART = 8  # of the second-level cache: a batch of shuffled rows that takes no more is asked for a step before it is gathered


class Loop:
    """Made by Executable.loop. `steps`: how many there are; `rows`: how many rows they cover."""

    def __init__(self, executable: Executable, feeds: Mapping[str, Array], sinks: Mapping[str, Array], arrays: Mapping[str, Array],
                 order: npt.NDArray[np.int64] | None, batch_size: int, threads: int | None) -> None:
        self.executable = executable
        if batch_size < 1:
            raise ValueError(f"{executable.program.name}: batch_size must be at least 1, not {batch_size}")
        others = [s for s in executable.symbols if s != "B"]
        if others:
            raise ValueError(f"{executable.program.name}: a loop knows the size of B alone; bind {', '.join(others)} to numbers first")
        self._sources = {name: _as_source(executable, name, array) for name, array in feeds.items()}
        self.rows = self._count_rows(sinks, order)
        self._order = self._check_order(order)
        self.steps = -(-self.rows // batch_size)
        full, tail = divmod(self.rows, batch_size)
        self._kept = executable.loop_frames(min(batch_size, self.rows), tail, threads)
        self._sinks = dict(sinks)
        self._moving: list[tuple[int, int, int, int]] = []
        self._feeds: list[list[int]] = []
        self._staging: list[Array] = []
        self._read_by: dict[str, tuple[bool, list[int]]] = {}  # of each feed: (whether it is gathered, its lines of the table)
        batch = min(batch_size, self.rows) if executable.symbols else 1
        for name, source in self._sources.items():
            self._add_feed(name, source, batch)
        for name, sink in sinks.items():
            self._add_sink(name, sink, batch)
        self._fixed_names = [name for name in executable.given if name not in feeds and name not in sinks]
        self._fixed = [self._fixed_array(name, arrays) for name in self._fixed_names]  # kept alive: the native loop has their addresses
        self._words = aligned(layout.LOOP_WORDS, np.int64)
        self._fill(full, tail, batch_size)

    def run(self, first_step: int, steps: int, budget_seconds: float = 0.05) -> int:
        """Run up to `steps` steps from `first_step`; return how many were done (at least 1) when the budget was spent,
        when `stop` was called, or when all were. Raises IndexError for steps that do not exist."""
        if first_step < 0 or steps < 1 or first_step + steps > self.steps:
            raise IndexError(f"{self.executable.program.name}: steps {first_step}..{first_step + steps - 1} of {self.steps}")
        words = self._words
        with self.executable._lock:
            words[layout.LOOP_FIRST] = first_step
            words[layout.LOOP_STEPS] = steps
            words[layout.LOOP_BUDGET] = int(budget_seconds * 1e9)
            words[layout.LOOP_STOP] = 0
            self._kept.run(self.executable, words, self._fixed_names, self._fixed)
            return int(words[layout.LOOP_DONE])

    @property
    def feeds(self) -> tuple[str, ...]:
        """The params whose rows are read from sources."""
        return tuple(self._sources)

    def move_to(self, feeds: Mapping[str, Array]) -> None:
        """Read the rows of the next runs from other arrays of the same dtypes and row shapes. They may have fewer rows than the first
        ones; then only the steps that they hold may be run. Raises ValueError or TypeError."""
        for name, array in feeds.items():
            old = self._sources[name]
            if array.dtype != old.dtype:
                raise TypeError(self.executable.describe(name, f"the loop reads rows of {old.dtype}, given {array.dtype}"))
            if array.shape[1:] != old.shape[1:]:
                raise ValueError(self.executable.describe(name, f"expected rows of shape {old.shape[1:]}, given {array.shape[1:]}"))
            array = self._sources[name] = np.ascontiguousarray(array)
            gathered, lines = self._read_by[name]
            for line in lines:
                if gathered:
                    self._feed_table[line, layout.FEED_SOURCE] = array.ctypes.data
                else:
                    self._moving_table[line, layout.MOVE_BASE] = array.ctypes.data

    def stop(self) -> None:
        """From another thread or a signal handler: the running call returns after the step it is in."""
        self._words[layout.LOOP_STOP] = 1

    def _count_rows(self, sinks: Mapping[str, Array], order: npt.NDArray[np.int64] | None) -> int:
        name = self.executable.program.name
        lengths = {n: len(s) for n, s in self._sources.items()}
        if not lengths:
            raise ValueError(f"{name}: a loop needs at least one feed")
        if len(set(lengths.values())) > 1:
            raise ValueError(f"{name}: the feeds have different numbers of rows: " + ", ".join(f"{n!r} {k}" for n, k in lengths.items()))
        rows = next(iter(lengths.values())) if order is None else len(order)
        if rows == 0:
            raise ValueError(f"{name}: there are no rows")
        for sink_name, sink in sinks.items():
            if len(sink) != rows:
                raise ValueError(self.executable.describe(sink_name, f"the result array has {len(sink)} rows for {rows}"))
        return rows

    def _check_order(self, order: npt.NDArray[np.int64] | None) -> Array | None:
        if order is None:
            return None
        rows = len(next(iter(self._sources.values())))
        order = np.ascontiguousarray(order, np.int64)
        if order.min() < 0 or order.max() >= rows:
            raise IndexError(f"{self.executable.program.name}: row numbers must lie between 0 and {rows - 1}, "
                             f"given {order.min()}..{order.max()}")
        return order

    def _row(self, name: str) -> tuple[tuple[int, ...], int]:
        """(shape, elements) of one row of a buffer [B, ...]."""
        type_ = self.executable.program.buffers[name].type
        if not type_.shape or type_.shape[0] != _BATCH or any(isinstance(d, Dim) for d in type_.shape[1:]):
            raise ValueError(self.executable.describe(name, "only an array [B, ...] can be cut into batches"))
        row = tuple(d for d in type_.shape[1:] if isinstance(d, int))
        return row, math.prod(row)

    def _move(self, name: str, base: int, stride: int, odd: int) -> None:
        self._moving += [(word, base, stride, odd) for word in self.executable.pointers.get(name, ())]

    def _add_feed(self, name: str, source: Array, batch: int) -> None:
        executable = self.executable
        row, elements = self._row(name)
        if source.shape[1:] != row:
            raise ValueError(executable.describe(name, f"expected rows of shape {row}, given {source.shape[1:]}"))
        wanted, given = executable.program.buffers[name].type.dtype, dtype_of(source.dtype)
        by_row = name in executable.code.rows
        order = 0 if self._order is None else self._order.ctypes.data
        row_bytes = math.prod(row) * source.itemsize
        ahead = row_bytes if order and batch * row_bytes <= executable.target.l2 // AHEAD_PART else 0
        if wanted == given and by_row:
            address, half = self._staged(name, 8 * batch)
            self._feed(name, executable.pool.rows_entry, address, half, source, order, row_bytes, ahead)
            return
        if wanted == given and self._order is None:
            self._read_by[name] = False, [len(self._moving) + n for n in range(len(executable.pointers.get(name, ())))]
            self._move(name, source.ctypes.data, batch * elements * wanted.size, 0)
            return
        if by_row:  # what was cast lies where the tables of its rows say once and for all
            address, half = self._room_for(elements * wanted.size * batch)
            apart = self._staged(name, 8 * batch)[1]
            for n in range(2):
                table = self._staging[-1][n * apart:][:8 * batch].view(np.int64)
                table[:] = address + n * half + elements * wanted.size * np.arange(batch)
        else:
            address, half = self._staged(name, elements * wanted.size * batch)
        if wanted == given:
            gather, elements = executable.pool.copy_entry, elements * wanted.size
        else:
            gather = gather_function(given, wanted, executable.target, executable.options)
        self._feed(name, gather, address, half, source, order, elements, ahead)

    def _room_for(self, size: int) -> tuple[int, int]:
        """Memory for what moves from step to step: the address, and how far the half for odd steps is away."""
        half = -(-size // 64) * 64
        self._staging.append(aligned(2 * half))
        return self._staging[-1].ctypes.data, half

    def _staged(self, name: str, size: int) -> tuple[int, int]:
        """The same, to which the frames' pointers to a param lead."""
        address, half = self._room_for(size)
        self._move(name, address, 0, half)
        return address, half

    def _feed(self, name: str, function: int, address: int, half: int, source: Array, order: int, elements: int, ahead: int) -> None:
        self._read_by[name] = True, [len(self._feeds)]
        self._feeds.append([function, address, address + half, source.ctypes.data, order, elements, ahead, 0])

    def _add_sink(self, name: str, sink: Array, batch: int) -> None:
        executable = self.executable
        if name not in executable.given or executable.program.buffers[name].kind != "output":
            raise ValueError(f"{executable.program.name}: {name!r} is not an output")
        row, elements = self._row(name)
        executable.check(name, sink, (self.rows, *row))
        self._move(name, sink.ctypes.data, batch * elements * sink.itemsize, 0)

    def _fixed_array(self, name: str, arrays: Mapping[str, Array]) -> Array:
        executable = self.executable
        if name not in arrays:
            raise KeyError(executable.describe(name, "no array is given for it"))
        array = arrays[name]
        if not self._kept.knows(name, array):
            if executable.program.buffers[name].type.symbols:
                what = "a feed" if executable.program.buffers[name].kind == "param" else "a sink"
                raise ValueError(executable.describe(name, f"its size depends on the batch, so it must be {what}"))
            executable.check(name, array, self._kept.shapes[name])
        return array

    def _fill(self, full: int, tail: int, batch_size: int) -> None:
        self._feed_table = np.array(self._feeds or [[0] * layout.FEED_WORDS], np.int64)
        self._moving_table = np.array(self._moving or [(0, 0, 0, 0)], np.int64)
        values = [0] * layout.LOOP_WORDS
        values[layout.LOOP_SHARED] = self._kept.call.shared_address
        values[layout.LOOP_STEP] = self.executable.pool.step_entry
        for word, frame in zip((layout.LOOP_EVEN, layout.LOOP_ODD, layout.LOOP_TAIL), self._kept.frames, strict=True):
            values[word] = frame.address
        values[layout.LOOP_FULL_STEPS] = full
        values[layout.LOOP_BATCH] = batch_size
        values[layout.LOOP_TAIL_ROWS] = tail
        values[layout.LOOP_FEEDS] = self._feed_table.ctypes.data
        values[layout.LOOP_FEED_COUNT] = len(self._feeds)
        values[layout.LOOP_MOVING] = self._moving_table.ctypes.data
        values[layout.LOOP_MOVING_COUNT] = len(self._moving)
        self._words[:] = values


def _as_source(executable: Executable, name: str, array: Array) -> Array:
    """A C-contiguous source of a dtype that can be cast natively."""
    if name not in executable.given or executable.program.buffers[name].kind != "param":
        raise ValueError(f"{executable.program.name}: {name!r} is not a param")
    if array.ndim == 0:
        raise ValueError(executable.describe(name, "a feed needs rows; given a scalar"))
    try:
        dtype_of(array.dtype)
    except TypeError:
        raise TypeError(executable.describe(name, f"rows of {array.dtype} cannot be cast to its dtype")) from None
    return np.ascontiguousarray(array)
