"""How many rows of tiles keep their sums until their epilogues run along memory, all together."""

from __future__ import annotations

import math

from .access import MANY, accesses, expr_cost, guess, inner_loops, static
from .epilogue import WRITTEN_OUT
from .nest import Let, Loop, Nest, Store
from .target import Target

STRIP_BYTES = 128 << 10  # sums of a strip lie in the second-level cache until their epilogue
STRIPS = 8  # at least so many, for threads to share
LONG_SUM = 1024  # trips from which on the sum takes much longer than its epilogue


def strip_rows(nest: Nest, target: Target, common: list[Loop], vector: Loop, row: Loop, tile: tuple[int, int]) -> int | None:
    """Rows of a strip, a multiple of the tile's; None where the epilogue is better run tile by tile.

    `tile`: rows and columns of a tile. Strips pay where a dear epilogue (an optimizer's) reads and writes more than the cache
    holds: tile by tile, it would touch a piece of each of many rows of memory.
    """
    body = common[-1].body
    rows, columns = tile
    after = tuple(s for s in body if isinstance(s, (Let, Store)))
    width, height = static(vector.extent), static(row.extent)
    sums = list(inner_loops(body))
    if width is None or height is None or width < 2 * columns or len(sums) != 1 or guess(sums[0].extent, MANY) >= LONG_SUM:
        return None
    if sum(expr_cost(s.expr) for s in after) * rows * columns // target.lanes(nest.dtype_of(all_stored(after))) <= WRITTEN_OUT:
        return None
    extents = {loop.var: static(loop.extent) for loop in common}
    moved = {a.array: a.dtype.size * math.prod(n or 1 for var, n in extents.items() if a.depends_on(var)) for a in accesses(nest, after)}
    if sum(moved.values()) <= target.l2 // 2:
        return None
    kept = -(-width // columns) * columns * max(a.dtype.size for a in accesses(nest, after))
    count = min(STRIP_BYTES // kept, height // STRIPS) // rows
    return rows * _even(count, height // rows) if count >= 1 and height >= 2 * rows else None


def _even(most: int, tiles: int) -> int:
    """The largest number of tiles a strip, at most `most` and not much less, that divides them all; else `most`."""
    return next((n for n in range(most, most // 2, -1) if tiles % n == 0), most)


def all_stored(body: tuple[Let | Store, ...]) -> str:
    return next(s.array for s in body if isinstance(s, Store))
