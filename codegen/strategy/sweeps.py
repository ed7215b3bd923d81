"""Sums over an image that go through it row by row, all tiles of channels before the next row."""

from __future__ import annotations

import math

from ..access import chain, inner_loops, static
from ..nest import Acc, Loop
from ..schedule import sweep
from .base import Scheduling

WAITING_BYTES = 24 << 10  # the sums of all tiles stay in the first-level cache, beside the rows that are read
LEAST = 4  # elements of a row, for each of which a sum is taken up and put down once


class Sweeps(Scheduling):
    """Where no tile shares what it reads, the next best is that they read one stretch of memory together."""

    def _sweep(self) -> None:
        loops = chain(self.nest.body)
        tiles = loops[1:]
        body = tiles[-1].body if tiles else ()
        if not self.apart or len(body) < 2 or not isinstance(body[0], Acc) or not isinstance(body[1], Loop) or body[0].folded:
            return
        acc, over = body[0], body[1]
        counts = [static(loop.extent) for loop in tiles]
        if static(loops[0].extent) is not None or any(n is None for n in counts) or not over.plain or (static(over.extent) or 0) < 2:
            return
        own = {d.var for d in acc.dims}
        row = math.prod(-(-(static(x.extent) or 0) // x.step) for x in inner_loops(over.body) if x.var not in own)
        count = math.prod(-(-(n or 1) // loop.step) for n, loop in zip(counts, tiles, strict=True))
        waiting = count * math.prod(d.extent for d in acc.dims) * acc.dtype.size
        if count > 1 and row >= LEAST and waiting <= WAITING_BYTES and any(isinstance(s, Loop) for s in body[1].body):
            self.nest = sweep(self.nest, over.var)
            self.swept = True
            self.note(f"all {count} tiles go through {over.var} together: what they read is one stretch of memory")
