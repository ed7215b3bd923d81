"""The panels of a step: what is made of weights that hold still, copies laid out as the kernels want them and filters transformed for their
products, filled when the weights have changed.

Who changes weights says so (changes.py): a variable that is assigned, a step that writes weights. A step that has panels looks before
it runs whether anybody has, or whether its frame points to other arrays than those that the panels were filled from.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .arena import ALIGNMENT, aligned
from .changes import COUNT
from .runtime import layout
from .runtime.pool import NativeCall
from .step import call_words, table_of

if TYPE_CHECKING:
    from .executable import Executable, Frame

Array = npt.NDArray[Any]
ROOM = 64  # bytes behind a panel: dead lanes are read


def _same(a: weakref.ref[Array] | None, b: weakref.ref[Array] | None) -> bool:
    """Whether both are one array that still exists: another may have taken the address of one that does not."""
    found = a() if a is not None else None
    return found is not None and b is not None and b() is found


class Panels:
    """Of one executable. They take memory when they are first filled."""

    def __init__(self, executable: Executable) -> None:
        self._executable = executable
        kept = executable.code.panels
        self.places: dict[str, int] = {}
        size = 0
        for name, panel in kept.items():
            self.places[name] = size
            size += -(-(panel.kernel.size + ROOM) // ALIGNMENT) * ALIGNMENT
        self._memory = aligned(size)  # nobody has touched it yet
        self._sources = [panel.word for panel in kept.values()]
        self._changes = -1
        self._filled_from: list[weakref.ref[Array] | None] = []
        self._frame: Frame | None = None

    def addresses(self) -> Mapping[str, int]:
        """Where each panel lies."""
        start = self._memory.ctypes.data
        return {name: start + place for name, place in self.places.items()}

    def refresh(self, frame: Frame) -> None:
        """Fill them where they are not copies of what the frame points to."""
        changes = COUNT[0]
        if changes == self._changes and frame is self._frame and not frame.moved:
            return
        arrays = [frame.bound.get(panel.source) for panel in self._executable.code.panels.values()]
        if changes != self._changes or len(arrays) != len(self._filled_from) or not all(map(_same, arrays, self._filled_from)):
            self._fill([frame.view[word] for word in self._sources])
            self._changes, self._filled_from = changes, arrays
        self._frame, frame.moved = frame, False

    def _fill(self, sources: list[int]) -> None:
        """One call in which all threads fill all panels: a step whose calls are those of the filling functions."""
        executable = self._executable
        each = 1 + layout.WORDS_BEFORE + 2  # trips, then that there is nothing to claim or to ask for, and the arguments
        words = aligned(layout.FRAME_WORDS + each * len(sources), np.int64)
        table = []
        for n, (name, address) in enumerate(self.addresses().items()):
            kernel = executable.code.panels[name].kernel
            trips = layout.FRAME_WORDS + each * n
            words[trips:trips + each] = kernel.trips.evaluate({}), *[0] * layout.WORDS_BEFORE, sources[n], address
            table.append(call_words(executable.loaded.addresses[kernel.name], trips, trips, trips + each - 2, meets=False))
        calls = np.array(table_of(table), np.int64)
        words[layout.FRAME_CALLS] = calls.ctypes.data
        threads = min(executable.options.threads or executable.pool.cores, layout.MAX_WORKERS + 1)
        call = NativeCall(executable.pool, executable.pool.step_entry, words.ctypes.data, threads)
        words[layout.FRAME_SHARED] = call.shared_address
        call.run()
