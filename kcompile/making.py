"""What models are made of, weights of layers and compiled steps, is made by one thread at a time.

The first requests of a server come together: both would build the same layers, or trace the same step while the other's
optimizer is half built. What has been made is found without the lock.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from .codegen.runtime.pool import renew_after_fork


class _Turns:
    """A lock that a thread may enter again, new in a forked child, where nobody may be left to release it."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        self._lock = threading.RLock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: Any) -> None:
        with contextlib.suppress(RuntimeError):  # forked meanwhile: the child's lock was never taken
            self._lock.release()


MAKING = _Turns()
