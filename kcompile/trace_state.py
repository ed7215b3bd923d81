"""Which trace is open in this thread, and which line of the user's is running."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .common.users_code import is_users

if TYPE_CHECKING:
    from .tracing import Trace


class TraceError(TypeError):
    """A use of a traced tensor that the graph under construction cannot hold."""


class _Stack(threading.local):
    def __init__(self) -> None:
        self.traces: list[Trace | None] = [None]


stack = _Stack()


def current_trace() -> Trace | None:
    """The innermost open trace of this thread, or None."""
    return stack.traces[-1]


def in_trace() -> bool:
    """Whether a graph is being traced in this thread."""
    return stack.traces[-1] is not None


def require_trace(what: str) -> Trace:
    """The current trace; raises TraceError where there is none."""
    trace = stack.traces[-1]
    if trace is None:
        raise TraceError(f"{what} was used outside the trace it belongs to")
    return trace


@contextmanager
def eager_scope() -> Iterator[None]:
    """Inside, no trace is open: operations are eager and variables act at once (initial values are made so)."""
    stack.traces.append(None)
    try:
        yield
    finally:
        stack.traces.pop()


def user_source(traceback: Any = None) -> str:
    """'file:line' of the innermost frame outside kcompile, '' if there is none.

    Inside a layer's call no frame below the call counts: the layer's own line stands for its code. With a traceback, the
    line of its innermost user frame.
    """
    if traceback is not None:
        found = ""
        while traceback is not None:
            if is_users(traceback.tb_frame.f_code):
                found = f"{traceback.tb_frame.f_code.co_filename}:{traceback.tb_lineno}"
            traceback = traceback.tb_next
        return found
    frame: Any = sys._getframe(1)
    trace = stack.traces[-1]
    floor, line = trace._floors[-1] if trace is not None and trace._floors else (None, "")
    while frame is not None:
        if is_users(frame.f_code):
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
        if frame is floor:
            return line
        frame = frame.f_back
    return ""
