"""While a step is traced and compiled, Python's collector of cycles looks at ever more nodes that are all in use: it waits.

What it would then find at the end, the graphs and nests of all passes, it takes away while a helper compiles the last modules.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_pauses = 0


@contextmanager
def collection_paused() -> Iterator[None]:
    """Inside, garbage is freed by reference counts alone, and by `collect`. Leaves a collector that the user has switched off as it is."""
    global _pauses
    if not gc.isenabled():
        yield
        return
    gc.disable()
    _pauses += 1
    try:
        yield
    finally:
        _pauses -= 1
        gc.enable()


def collect() -> None:
    """What has become garbage in a pause; nothing outside of one."""
    if _pauses:
        gc.collect(0)  # all that was made since the pause began
