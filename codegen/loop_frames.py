"""What the loops of one batch size share: the frames, the words of their calls, and where fixed arrays are pointed to.

Made once and kept by the executable, because a frame has a word for every array of every kernel call: most of what a short
`fit` would cost. One loop has the frames at a time; another takes them over when it runs.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy.typing as npt

from .crew import Crew
from .runtime import layout
from .runtime.pool import NativeCall

if TYPE_CHECKING:
    from .executable import Executable

Array = npt.NDArray[Any]


class LoopFrames:
    """Two frames that take turns and one for a last, smaller batch of `tail` rows (0: there is none). `symbols`: those of a whole one;
    `threads`: exactly so many, None: as many as the work is worth."""

    def __init__(self, executable: Executable, symbols: Mapping[str, int], tail: int, threads: int | None) -> None:
        from .executable import Frame

        even, odd = Frame(executable, symbols), Frame(executable, symbols)
        self.frames = (even, odd, Frame(executable, {"B": tail}) if tail and executable.symbols else even)
        self.shapes = even.shapes
        self.call: NativeCall = NativeCall(executable.pool, executable.pool.loop_entry, 0, threads or executable.threads_for(symbols))
        self.call.room = executable.stack
        self._crew = Crew(self.call) if threads is None else None
        for frame in self.frames:
            frame.words[layout.FRAME_SHARED] = self.call.shared_address
        self._bound: dict[str, weakref.ref[Array]] = {}
        self._words: Array | None = None  # of the loop that has the frames

    def knows(self, name: str, array: Array) -> bool:
        """Whether the frames point to this very array, so that it has been checked."""
        bound = self._bound.get(name)
        return bound is not None and bound() is array

    def run(self, executable: Executable, words: Array, names: Sequence[str], arrays: Sequence[Array]) -> None:
        """Run the loop of these words, whose arrays of these names stay where they are."""
        if self._words is not words:
            self._words = None  # until all is pointed: an interrupt may come at any line
            for name, array in zip(names, arrays, strict=True):
                if not self.knows(name, array):
                    address = array.ctypes.data
                    self._bound.pop(name, None)
                    for frame in self.frames:
                        frame.point(executable.pointers.get(name, ()), address)
                        frame.bound[name] = weakref.ref(array)
                    self._bound[name] = weakref.ref(array)
            self.call.words[layout.CALL_CONTEXT] = words.ctypes.data
            self._words = words
        if self._crew is None:
            executable.call(self.frames[0], self.call)
            return
        self._crew.begin()
        started = time.perf_counter()
        executable.call(self.frames[0], self.call)
        self._crew.end(time.perf_counter() - started, int(words[layout.LOOP_DONE]))
