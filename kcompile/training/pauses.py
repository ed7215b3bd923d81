"""While a step is traced and compiled, Python's collector of cycles looks at ever more nodes that are all in use: it waits."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Inside, garbage is freed by reference counts alone. Leaves a collector that the user has switched off as it is."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
