"""How large register tiles are: the rows of a tile along each axis, from extents and free registers alone."""

from __future__ import annotations

from collections.abc import Mapping


def row_tiles(extents: Mapping[str, int | None], room: int, preferred: int) -> dict[str, int]:
    """How many rows of each axis a tile has: together at most `room`, near `preferred`, with little waste.

    `extents`: axis -> its extent, None for one that is not known, in the order in which axes choose.
    """
    tiles: dict[str, int] = {}
    for var, extent in extents.items():
        if room < 2:
            break
        tiles[var] = best_tile(extent, room, min(preferred, room))
        room //= tiles[var]
        preferred = max(1, preferred // tiles[var])
    return tiles


def best_tile(extent: int | None, room: int, preferred: int) -> int:
    """A tile of at most `room`: the whole of a small extent, else the size near `preferred` that wastes least."""
    if extent is None:
        return min(preferred, room)
    if extent <= room:
        return extent
    sizes = range(max(1, preferred // 2), room + 1)

    def badness(size: int) -> tuple[float, int]:
        waste = -(-extent // size) * size / extent
        return (round(waste + (0.05 if size < preferred - 2 else 0.0), 3), abs(size - preferred))

    return min(sizes, key=badness)
