"""The next items of an iterator, computed in a thread of their own while the caller works."""

from __future__ import annotations

import os
import queue
import threading
import time
import weakref
from collections.abc import Iterator
from typing import Any

_END = object()


class Ahead(Iterator[Any]):
    """An iterator whose next `size` items are made ahead.

    waited: seconds that the caller has waited for items. An error of the source is raised where its item would have come. The
    thread ends with the source, with `close`, or when the iterator is forgotten. A child process that is forked has no such thread: there
    asking for an item raises RuntimeError.
    """

    def __init__(self, source: Iterator[Any], size: int = 2) -> None:
        self.waited = 0.0
        self._queue: queue.Queue[Any] = queue.Queue(max(size, 1))
        self._stop = threading.Event()
        self._ended = False
        self._process = os.getpid()
        self._thread = threading.Thread(target=_fill, args=(source, self._queue, self._stop), name="kcompile-prefetch", daemon=True)
        weakref.finalize(self, self._stop.set)
        self._thread.start()

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        if self._process != os.getpid():
            raise RuntimeError("this iterator's items are made by a thread of the process that began it, which a forked child does not "
                               "have; begin a new one with iter(...)")
        try:
            item = self._queue.get_nowait()
        except queue.Empty:
            since = time.perf_counter()
            item = self._queue.get()
            self.waited += time.perf_counter() - since
        if item is _END:
            self._ended = True
            raise StopIteration
        if isinstance(item, _Raised):
            self._ended = True
            raise item.error
        return item

    def close(self) -> None:
        """Let the thread end; items made ahead are dropped."""
        self._stop.set()
        self._ended = True
        while self._process == os.getpid() and self._thread.is_alive() and threading.current_thread() is not self._thread:
            try:
                self._queue.get_nowait()
            except queue.Empty:
                self._thread.join(0.01)


class _Raised:
    def __init__(self, error: BaseException) -> None:
        self.error = error


def _fill(source: Iterator[Any], items: queue.Queue[Any], stop: threading.Event) -> None:
    """The thread: it must not hold the iterator that it fills, or it would never be forgotten."""
    try:
        for item in source:
            if not _put(items, item, stop):
                return
        _put(items, _END, stop)
    except BaseException as error:  # raised in the thread that asked for the item
        _put(items, _Raised(error), stop)


def _put(items: queue.Queue[Any], item: Any, stop: threading.Event) -> bool:
    while not stop.is_set():
        try:
            items.put(item, timeout=0.1)
            return True
        except queue.Full:
            continue
    return False
