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
    """The lock under which memory changes its order, and steps run that count on one; a thread may take it again."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """A thread of the parent may have held it."""
        self.lock = threading.RLock()


ORDER = _Order()


class MemoryOrder:
    """Of one variable. `columns`: of the panels that its memory is in; 0: row by row; UNFINISHED: somebody was interrupted."""

    __slots__ = ("_made", "columns")

    def __init__(self) -> None:
        self.columns = 0
        self._made: tuple[Array, int] | None = None  # while UNFINISHED: what the memory is about to hold, and in which panels that is

    def settle(self, memory: Array | None, columns: int) -> None:
        """Bring a variable's memory into an order. An interrupt on the way loses nothing: who comes next copies once more."""
        assert memory is not None and memory.flags.c_contiguous
        with ORDER.lock:
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


def held(variables: Iterable[Variable]) -> AbstractContextManager[Any]:
    """Inside, the memory of these stays in its order: for who reads or writes it row by row."""
    return ORDER.lock if any(variable.moves for variable in variables) else nullcontext()


def make_values(variables: Mapping[str, Variable]) -> None:
    """The initial values of those that have none yet."""
    for variable in variables.values():
        variable.make_value()


class Ordered:
    """The variables of a compiled step, by path, and the order of their memory that the step was compiled for.

        with variables.lock:
            variables.settle()
            ...  # run the step
    """

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

    @property
    def lock(self) -> AbstractContextManager[Any]:
        """Held while the step runs. (Entered by the interpreter itself: an interrupt cannot come between taking it and its release.)"""
        return ORDER.lock if self._moving else nullcontext()

    def settle(self) -> None:
        """Bring their memory into the step's order, under the lock."""
        for variable, columns in self._moving:
            if variable._order.columns != columns:  # asked here, too: a short prediction is over in ten microseconds
                variable.in_panels(columns)
