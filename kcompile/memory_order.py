"""In which order the memory of a variable is: row by row, as everybody else reads it, or in panels, as a step that trains wants it.

A step is compiled for one order (`ir/passes/layouts.py`). Whoever runs it brings its variables' memory into that order first, in place,
and leaves it so: hundreds of steps later somebody looks at the value (`Variable.array`), and it is brought back. Memory moves under a
lock, which is held too while a step runs on it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from .codegen.panel_order import in_panels, in_rows
from .codegen.runtime.pool import renew_after_fork
from .ir.program import Buffer

if TYPE_CHECKING:
    from .variables import Variable

Array = npt.NDArray[Any]
UNFINISHED = -1


class _Order:
    """The lock under which memory changes its order, and steps run that count on one; a thread may take it again. `waiting`: threads that
    would have it."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """A thread of the parent may have held it."""
        self.lock = threading.RLock()
        self.waiting = 0

    def __enter__(self) -> None:
        if not self.lock.acquire(blocking=False):
            self.waiting += 1
            try:
                self.lock.acquire()
            finally:
                self.waiting -= 1

    def __exit__(self, *error: object) -> None:
        self.lock.release()


ORDER = _Order()


class MemoryOrder:
    """Of one variable. `columns`: of the panels that its memory is in; 0: row by row; UNFINISHED: somebody was interrupted."""

    __slots__ = ("_made", "columns")

    def __init__(self) -> None:
        self.columns = 0
        self._made: tuple[Array, int] | None = None  # while UNFINISHED: what the memory is about to hold, and in which panels that is

    def settle(self, memory: Array | None, columns: int) -> None:
        """Bring a variable's memory into an order. An interrupt on the way loses nothing: who comes next copies once more."""
        assert memory is not None
        with ORDER:
            while self.columns != columns:
                if self.columns != UNFINISHED:
                    shape = (-1, len(memory), self.columns)
                    self._made = (in_rows(memory.reshape(shape)), 0) if self.columns else (in_panels(memory, columns), columns)
                    self.columns = UNFINISHED
                assert self._made is not None
                made, then = self._made
                np.copyto(memory.reshape(-1), made.reshape(-1))
                self.columns = then
            self._made = None


def held(variables: Iterable[Variable]) -> AbstractContextManager[None]:
    """Inside, the memory of these stays in its order: for who reads or writes it row by row."""
    return ORDER if any(variable.moves for variable in variables) else nullcontext()


class Ordered:
    """The variables of a compiled step, by path: inside (`with`) their memory is in the order that the step was compiled for."""

    def __init__(self, buffers: Mapping[str, Buffer], variables: Mapping[str, Variable]) -> None:
        self._moving = [(variable, buffers[path].panels) for path, variable in variables.items() if variable.moves]
        self._variables, self._buffers = variables, buffers

    def arrays(self) -> dict[str, Array]:
        """Their memory, with the shapes in which the step knows it."""
        stored: Any = {path: self._buffers[path].stored for path in self._variables}
        return {path: variable.array.reshape(stored[path]) for path, variable in self._variables.items()}

    def __bool__(self) -> bool:
        """Whether any of them may be in another order."""
        return bool(self._moving)

    def __enter__(self) -> None:
        if not self._moving:
            return
        ORDER.__enter__()
        try:
            for variable, columns in self._moving:
                variable.in_panels(columns)
        except BaseException:
            ORDER.__exit__()
            raise

    def __exit__(self, *error: object) -> None:
        if self._moving:
            ORDER.__exit__()
