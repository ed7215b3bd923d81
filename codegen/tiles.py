"""How large register tiles are: the rows of a tile along each axis, from extents and free registers alone."""

from __future__ import annotations

from collections.abc import Mapping

from ..ir.types import Dim, DimLike
from .access import MANY, divisor

SHARED = 2.0  # what the rows of a tile share is read once for all of them: about two rows' worth of time
CLAMPED = 0.2  # a last tile that is not full costs every tile an address a row


def row_tiles(extents: Mapping[str, DimLike], room: int, preferred: int) -> dict[str, int]:
    """How many rows of each axis a tile has: together at most `room`, near `preferred`, with little waste.

    `extents`: axis -> its extent, in the order in which axes choose.
    """
    tiles: dict[str, int] = {}
    for var, extent in extents.items():
        if room < 2:
            break
        tiles[var] = best_tile(extent, room, min(preferred, room))
        room //= tiles[var]
        preferred = max(1, preferred // tiles[var])
    return tiles


def best_tile(extent: DimLike, room: int, preferred: int) -> int:
    """A tile of at most `room`: the whole of a small extent, else a large one that wastes little, best of all one that divides the
    extent; near `preferred` where it is not known."""
    if isinstance(extent, Dim):
        if divisor(extent) == 1:
            return min(preferred, room)
        extent = divisor(extent) * MANY
    whole: int = extent
    if whole <= room:
        return whole

    def badness(size: int) -> tuple[float, int]:
        waste = -(-whole // size) * size / whole
        return round(waste * (1 + SHARED / size) + (CLAMPED if whole % size else 0.0), 3), abs(size - preferred)

    return min(range(max(1, preferred // 2), room + 1), key=badness)
