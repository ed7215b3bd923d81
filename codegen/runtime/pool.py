"""The process's worker threads, seen from Python: one native pool, started on demand, new after a fork."""

from __future__ import annotations

import ctypes
import os
import sys
import threading
import weakref
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..arena import aligned
from ..cache import object_for
from ..module import Loaded
from ..options import CodegenOptions
from ..target import Target
from . import layout, waiting
from .text import runtime_text

MARGIN = 96 << 10  # of a caller's stack: what is on it already, and the runtime's own functions
_CALL = ctypes.CFUNCTYPE(ctypes.c_int64, ctypes.c_void_p)


class Pool:
    """Runs native functions `i64 f(context, thread, threads, 0)` on several threads at once.

    Calls on more than one thread exclude each other: there is one set of workers. ctypes releases the interpreter's lock
    during a call.
    """

    def __init__(self, options: CodegenOptions, made: Mapping[str, bytes]) -> None:
        target = Target.host(options)
        # Never collected: workers may still be waking up in this code while the interpreter shuts down.
        text = runtime_text(target.triple)
        code = made[text] if text in made else object_for(text, target, options, "runtime")
        self.loaded = Loaded([code], ["kc_call", "kc_step", "kc_loop", "kc_copy", "kc_rows"])
        self.loaded.keep_forever()
        self.call = _CALL(self.loaded.addresses["kc_call"])
        self.step_entry = self.loaded.addresses["kc_step"]
        self.loop_entry = self.loaded.addresses["kc_loop"]
        self.copy_entry, self.rows_entry = self.loaded.addresses["kc_copy"], self.loaded.addresses["kc_rows"]
        self.memory = aligned(layout.POOL_WORDS, np.int64)
        self.address = self.memory.ctypes.data
        self.cores = target.cores
        self.after_fork()

    def after_fork(self) -> None:
        """The workers exist in the parent alone."""
        self.memory[:] = 0
        self.lock = threading.Lock()

    @property
    def started(self) -> int:
        """Workers that exist."""
        return int(self.memory[layout.POOL_STARTED])


class _Stack(threading.local):
    """How large the stack of the thread that asks is, in bytes; looked up once a thread."""

    def __init__(self) -> None:
        self.size = _stack_size()


def _stack_size() -> int:
    """As the C library says; where it says nothing, large."""
    found = getattr(ctypes.CDLL(None), "pthread_getattr_np", None) if sys.platform == "linux" else None
    attributes, low, size = ctypes.create_string_buffer(256), ctypes.c_void_p(), ctypes.c_size_t()
    if found is None or found(ctypes.c_ulong(threading.get_ident()), attributes):
        return 1 << 40
    failed = ctypes.CDLL(None).pthread_attr_getstack(attributes, ctypes.byref(low), ctypes.byref(size))
    ctypes.CDLL(None).pthread_attr_destroy(attributes)
    return 1 << 40 if failed else size.value


_here = _Stack()


class NativeCall:
    """One prepared call: a function, its context, and the words its threads share. `room`: what the caller's stack must have."""

    room = MARGIN

    def __init__(self, pool: Pool, function: int, context: int, threads: int, small: bool = False) -> None:
        self.pool = pool
        self.shared = aligned(waiting.SHARED_WORDS, np.int64)
        self.words = np.zeros(layout.CALL_WORDS, np.int64)
        self.words[layout.CALL_POOL] = pool.address
        self.words[layout.CALL_FUNCTION] = function
        self.words[layout.CALL_CONTEXT] = context
        self.words[layout.CALL_SHARED] = self.shared_address = self.shared.ctypes.data
        self.address = self.words.ctypes.data
        self.set_threads(threads, small)

    def set_threads(self, threads: int, small: bool = False) -> None:
        """For the runs that follow. `small`: on the caller's thread alone where the others would have to be woken up first.

        More threads than cores wait for each other by yielding at once instead of spinning first.
        """
        if not 1 <= threads <= layout.MAX_WORKERS + 1:
            raise ValueError(f"threads must lie between 1 and {layout.MAX_WORKERS + 1}, not {threads}")
        self.threads = 0  # an interrupt may come at any line: then whoever runs the call next sets the number again
        self.words[layout.CALL_THREADS] = threads
        self.words[layout.CALL_SMALL] = small
        self.shared[:] = 0
        self.shared[waiting.SHARED_SPIN] = self.shared[waiting.SHARED_MOST_SPIN] = waiting.SPIN if threads <= self.pool.cores else 0
        self.shared[waiting.SHARED_CLAIMS] = self.pool.address + 8 * layout.POOL_CLAIMS
        self.threads, self.small = threads, small

    def run(self) -> None:
        """Raises RuntimeError where the system refuses a thread, or the caller's stack is too small."""
        if self.room > _here.size:
            raise RuntimeError(f"the stack of this thread has {_here.size >> 10} KiB, and a compiled step takes "
                               f"{self.room >> 10}: give it more with threading.stack_size(8 << 20) before it starts, or the "
                               f"process with `ulimit -s 8192`")
        if self.threads == 1:
            self.pool.call(self.address)
            return
        with self.pool.lock:
            error = self.pool.call(self.address)
        if error:
            raise RuntimeError(f"cannot start {self.threads} threads: {os.strerror(error)}")


_pool: Pool | None = None
_making = threading.Lock()
_renewed: weakref.WeakSet[Any] = weakref.WeakSet()


def missing_runtime(options: CodegenOptions) -> str | None:
    """The text of the module that `pool` needs when it is first called; None where there is a pool."""
    return runtime_text(Target.host(options).triple) if _pool is None else None


def pool(options: CodegenOptions, made: Mapping[str, bytes] | None = None) -> Pool:
    """The process's pool; `options` say where its code may be cached when it is first made, `made` has objects by their text."""
    global _pool
    if _pool is None:
        with _making:
            if _pool is None:
                _pool = Pool(options, made or {})
    return _pool


def renew_after_fork(thing: Any) -> None:
    """`thing.after_fork()` is called in a child process: for locks that a thread of the parent may hold."""
    _renewed.add(thing)


def _in_child() -> None:
    global _making
    _making = threading.Lock()
    if _pool is not None:
        _pool.after_fork()
    for thing in list(_renewed):
        thing.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
