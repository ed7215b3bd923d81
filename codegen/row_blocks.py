"""Whether the rows of a contraction are gone through block by block, all panels for one block before the next.

With panels outermost each is read once, and what all rows read is streamed once for each panel: from far away where it does not fit the
second-level cache. With a block of rows outermost, what the block reads stays in that cache, and all panels are read once for each block,
from that cache too if they fit beside it. The model compares the two; sizes are those of one sample, since a batch repeats both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from kcompile.common.struct import struct

from ..ir.types import DimLike
from .access import divisor, guess
from .target import Target

LEAST_ROWS = 28  # of a block: with fewer the panels, which come from further away, are read too often
NEAR = 0.25  # what a byte from the second-level cache costs, in bytes from further away
WORTH_IT = 1.25  # how much more the streams must be


@struct(frozen=True)
class Traffic:
    """Bytes of all panels, bytes of what the rows of one sample read, and how many panels there are."""

    panels: int
    rows: int
    count: int


@struct(frozen=True)
class RowBlocks:
    """`before`: how many of the loops around stand before the panels; `cut`: the size of tiles into which the only one is cut first, or
    0; `rows`: of a block."""

    before: int
    cut: int
    rows: int


def row_blocks(others: Mapping[str, DimLike], tiles: Mapping[str, int], traffic: Traffic, target: Target) -> RowBlocks | None:
    """The best blocks; None for panels outermost. `others`: the loops around, outermost first; `tiles`: rows of a tile along each."""
    total = math.prod(guess(extent, 1) for extent in others.values())
    best, least = None, traffic.count * traffic.rows / WORTH_IT
    for found in _choices(others, tiles):
        if found.rows < LEAST_ROWS or traffic.rows * found.rows > total * target.l2 // 2:
            continue
        block = traffic.rows * found.rows // total
        near = traffic.panels + block <= target.l2 // 2  # panels stay in the second-level cache from block to block
        read = total / found.rows * traffic.panels * (NEAR if near else 1)
        if read < least:
            best, least = found, read
    return best


def _choices(others: Mapping[str, DimLike], tiles: Mapping[str, int]) -> Iterator[RowBlocks]:
    names = list(others)
    if len(names) == 1:
        size, known = tiles.get(names[0], 1), divisor(others[names[0]])
        yield from (RowBlocks(1, rows, rows) for rows in range(size, known + 1, size) if known % rows == 0 and size > 1)
        return
    for before in range(1, len(names)):
        inner = math.prod(guess(others[name], 1) for name in names[before:])
        yield RowBlocks(before, 0, inner * math.prod(tiles.get(name, 1) for name in names[:before]))
