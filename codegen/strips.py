"""How many rows of tiles keep their sums until their epilogues run along memory, all together."""

from __future__ import annotations

import math

from .access import MANY, accesses, expr_cost, guess, inner_loops, static
from .epilogue import WRITTEN_OUT
from .nest import Let, Loop, Nest, Stmt, Store
from .packing import FAR_APART
from .target import WAITING_BYTES, Target

STRIP_BYTES = 192 << 10  # sums of a strip lie in the second-level cache until their epilogue, which reads and writes as much and more
FEW_TILES = 8  # of rows: for fewer, packing a panel does not pay
PACKED_FOR = 4  # tiles at least for which a panel is packed, where their sums take no more than a quarter of that cache
STRIPS = 2  # at least so many for each core
BLOCK_COLUMNS = 512  # of a strip whose tiles store their sums themselves
PAGE = 4096  # bytes between rows, each of which is then in a page of its own
UNEVEN = 1.03  # what one core may have to do more than with the best of strips
LONG_SUM = 1024  # trips from which on the sum takes much longer than its epilogue


def strip_rows(nest: Nest, target: Target, common: list[Loop], vector: Loop, row: Loop, tile: tuple[int, int]) -> int | None:
    """Rows of a strip, a multiple of the tile's; None where the epilogue is better run tile by tile.

    `tile`: rows and columns of a tile. Strips pay where a dear epilogue (an optimizer's) reads and writes more than the cache
    holds: tile by tile, it would touch a piece of each of many rows of memory. They pay, too, where the rows that are summed lie pages
    apart and are too many to be packed once and for all: a strip's tiles take them from a packed chunk.
    """
    body = common[-1].body
    rows, columns = tile
    after = tuple(s for s in body if isinstance(s, (Let, Store)))
    width, height = static(vector.extent), static(row.extent)
    sums = list(inner_loops(body))
    if width is None or height is None or width < 2 * columns or len(sums) != 1:
        return None
    size = max(a.dtype.size for a in accesses(nest, after))
    long = guess(sums[0].extent, MANY) >= LONG_SUM
    if long and -(-width // columns) * columns * -(-height // rows) * rows * size <= WAITING_BYTES:  # it is gone through in blocks
        return None
    bare = is_bare(nest, body)
    dear = sum(expr_cost(s.expr) for s in after) * rows * columns // target.lanes(nest.dtype_of(first_stored(after))) > WRITTEN_OUT
    if not dear and not _far(nest, sums[0], vector, FAR_APART if long or (bare and not target.wide) else PAGE):
        return None
    extents = {loop.var: static(loop.extent) for loop in common}
    moved = {a.array: a.dtype.size * math.prod(n or 1 for var, n in extents.items() if a.depends_on(var)) for a in accesses(nest, after)}
    if sum(moved.values()) <= target.l2 // 2:
        return None
    blocks = 1 if dear else column_blocks(nest, body, width, columns)
    kept = -(-width // columns) * columns * size // blocks
    alone = min(WAITING_BYTES, target.l2 * 3 // 4 if bare else target.l2 // 2)
    most = max((STRIP_BYTES if dear else alone) // kept, min(target.l2 // 4 // kept, PACKED_FOR * rows))
    count = min(most // rows, -(-height * blocks // (STRIPS * target.cores * rows)))
    return rows * _even(count, -(-height // rows), blocks, target.cores) if count >= 1 and height >= FEW_TILES * rows else None


def is_bare(nest: Nest, body: tuple[Stmt, ...]) -> bool:
    """Whether all that follows a sum is that it is stored: tiles then do that themselves."""
    after = tuple(s for s in body if isinstance(s, (Let, Store)))
    return not any(isinstance(s, Let) for s in after) and all(a.store for a in accesses(nest, after))


def column_blocks(nest: Nest, body: tuple[Stmt, ...], width: int, columns: int) -> int:
    """Into how many blocks of columns strips are cut whose tiles store their sums themselves: of sums that wait in so many bytes those of
    a square read least."""
    blocks = -(-width // BLOCK_COLUMNS)
    return blocks if is_bare(nest, body) and width % (blocks * columns) == 0 else 1


def _far(nest: Nest, over: Loop, vector: Loop, apart: int) -> bool:
    """Whether the rows of the operand along the lanes are of unknown number, and so many bytes apart."""
    strides = (a.coefficient(over.var) * a.dtype.size for a in accesses(nest, (over,)) if a.coefficient(vector.var) == 1)
    return static(over.extent) is None and any(isinstance(n, int) and n >= apart for n in strides)


def _even(most: int, tiles: int, blocks: int, cores: int) -> int:
    """Tiles a strip of each block of columns, at most `most` and at least half of that: many, but hardly more for the core that has most
    to do than for others."""

    def longest(n: int) -> int:
        strips = math.ceil(tiles / n) * blocks
        return math.ceil(strips / cores) * n

    choices = range(most, most // 2, -1)
    least = min(map(longest, choices))
    return next(n for n in choices if longest(n) <= UNEVEN * least)


def first_stored(body: tuple[Let | Store, ...]) -> str:
    """The array of the first store."""
    return next(s.array for s in body if isinstance(s, Store))
