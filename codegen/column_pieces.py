"""How rows are cut where a product's panels lie one after the other in memory.

All panels that a core goes through read the same operand along the rows: once each, from far away where it does not fit the second-level
cache. Cut into pieces of which each stays in that cache while the core's panels take it, one after the other, it comes from there.
Of a weight gradient the pieces are packed for these panels, a part of the sum at a time (`repack`): then they are as large as the sums that
wait meanwhile allow, since what the lanes take is packed again for each piece.
"""

from __future__ import annotations

import math

from kcompile.common.struct import struct

from .access import Access, accesses, inner_loops, static
from .nest import Loop, Nest
from .packing import FAR_APART, PART
from .target import WAITING_BYTES, Target

LARGE_BATCH = 512  # samples of which an operand may be further away than the second-level cache
REFILLED_WAITING = 128 << 10  # bytes of sums that wait while the rest of a long sum is taken, where one operand is packed
PACKED_FOR = 4  # panels at the least for which what they take along the rows is packed
PACKED_TOGETHER = 16  # and at the most
PANELS_TOO = 2  # a piece of a batch has so many rows for each column of a panel at least: panels are read again for each piece


@struct(frozen=True)
class Pieces:
    """`rows` of a piece, 0 for rows that are not cut; `panels` that take a piece one after the other, 0 for all of them; `packed`: both
    operands are, a part of the sum at a time for all these panels."""

    rows: int = 0
    panels: int = 0
    packed: bool = False

    @property
    def before(self) -> int:
        """Loops that stand before those over panels: over the cores' shares, and over pieces."""
        return (self.panels > 0) + (self.rows > 0)


def column_pieces(nest: Nest, target: Target, common: list[Loop], columns: tuple[str, ...], row: Loop,
                  tile: tuple[int, int]) -> Pieces:
    """`columns`: the loops over panels; `tile`: rows and columns of a tile.

    Pieces stand before the panels of a core, so that a core updates the panels that it has multiplied; before all panels only where
    there are fewer than cores."""
    size, width = tile
    panels = math.prod(int(str(loop.extent)) for loop in common if loop.var in columns)
    extent, cores = static(row.extent), target.cores
    shared = panels // cores if len(columns) == 1 and panels % cores == 0 and panels > cores else 0
    far = _bytes_of_a_row(nest, common, row)
    if size == 1 or far is None:  # no tile to cut
        return Pieces()
    if extent is None:
        most = target.l2 // 4 // far
        return Pieces(most // size * size, shared) if shared and PANELS_TOO * width <= most < LARGE_BATCH else Pieces()
    near = target.l2 // 4 // (4 * PART)
    if shared >= PACKED_FOR and both_far_apart(nest, common, row):
        together = max(n for n in range(1, min(shared, PACKED_TOGETHER) + 1) if shared % n == 0)
        together = together if together >= PACKED_FOR else shared
        rows = _even(extent, size, min(near, min(target.l2 // 2, WAITING_BYTES) // (4 * width * together)))
        return Pieces(rows, together, packed=True)
    most = min(extent if extent <= 2 * near else near, REFILLED_WAITING // (4 * width), extent // -(-cores // panels))
    if shared:
        most = min(most, max(target.l2 // 2 // far, PANELS_TOO * width))
    rows = _even(extent, size, most)
    return Pieces(rows, shared if panels >= cores else 0) if rows else Pieces()


def both_far_apart(nest: Nest, common: list[Loop], row: Loop) -> bool:
    """Whether a product of two operands is summed whose elements each lie side by side, for one term far from those for the next."""
    sums = list(inner_loops(common[-1].body))
    found = [a for a in accesses(nest, tuple(sums)) if not a.store]

    def far(a: Access) -> bool:
        stride = a.coefficient(sums[0].var)
        return isinstance(stride, int) and stride * a.dtype.size >= FAR_APART
    return len(sums) == 1 and len(found) == 2 and all(map(far, found)) and sum(a.coefficient(row.var) == 1 for a in found) == 1


def _bytes_of_a_row(nest: Nest, common: list[Loop], row: Loop) -> int | None:
    """What a row reads of a large batch, or of all that is summed; None where that is not known."""
    sums = list(inner_loops(common[-1].body))
    trips = math.prod(static(loop.extent) or LARGE_BATCH for loop in sums)
    shared = [a for a in accesses(nest, tuple(sums)) if not a.store and a.depends_on(row.var)]
    return sum(a.dtype.size for a in shared) * trips or None


def _even(extent: int, size: int, most: int) -> int:
    """Rows of pieces of at most about so many, whole tiles, of equal length where that can be; 0 for one piece."""
    count, tiles = -(-extent // size), max(1, most // size)
    if tiles >= count:
        return 0
    even = -(-count // -(-count // tiles))
    return size * next((n for n in range(tiles, tiles // 2, -1) if extent % (n * size) == 0), even)
