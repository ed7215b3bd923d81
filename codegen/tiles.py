"""How large register tiles are: vectors side by side and rows of each axis, from extents and free registers alone.

A tile of V vectors and R rows does V * R multiply-adds for V + R loads; the sums, the vectors and one value of a row lie in registers.
What a tile costs for each result is a small model: time goes by the multiply-adds, by the loads where these are more, and by the
latency of an addition where sums are few; vectors come from further away than rows; and what the last tiles compute for nothing counts.
Where a core has two halves, loads count in any case: beside a neighbour it is they that tell one tile from another.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from kcompile.common.struct import struct

from ..ir.types import Dim, DimLike
from .access import divisor

LOADS = 1.2  # multiply-adds that a load is worth: a tile of eight rows and one vector runs at three quarters of the peak
LOAD = 0.4  # and what each costs where these are fewer, beside two multiply-adds of 64 bytes in a cycle: a neighbour takes its place
NEAR = 0.2  # what a vector costs beyond that where panels lie in the second-level cache
SPLIT = 0.5  # where each lies in two lines as a rule, which takes two loads
FAR = 1.0  # and where they come from further away
FROM_NEXT = 0.1  # what a vector costs beside these where loads count, if a panel leaves the first-level cache between two tiles
# The least that such a vector takes, by multiply-adds that begin in a cycle: a line in two cycles, and a tenth for what holds it up. Four
# rows of a vector of 64 bytes are too few.
LINE_TAKES = 2.2
MASKED = 1.05  # what masks cost
CLAMPED = 1.2  # and rows of which the last ones may be dead: each has an address of its own, and there are 16 registers for all
TRIP = 2.0  # what a trip of the sum costs beside these with vectors of 64 bytes, which leave two ports for everything that computes
SHORT_TRIP = 0.8  # and with those of 32 bytes: no more than the sums that just hide a latency (2 x 4) hide nothing else, twelve do
TAKEN = 24  # sums that leave registers for all else beside two or more vectors
CROWDED = 0.05  # and by this part of a trip each makes it dearer that is more
LAST = 1.02  # what it costs to tell a last tile from the others in each place where tiles are summed, with vectors of 64 bytes
NARROWER = 1.02  # and of columns
IN_FLIGHT = 8  # sums that hide the latency of an addition
AT_EASE = 12  # and that of all else in a trip: each that is missing makes it dearer
MISSED = 0.2  # by this part
MOST_VECTORS = 6
SHORT = 0.03  # of an axis that would be computed twice: from here on the last tile gets code of its own
CLAMPED_ROWS = 8  # rows of an axis of unknown length at most: each has an address of its own
FEW = 4  # rows of a last tile that are done at a time, where whole ones are told from it
MOST_ROWS = 12  # rows of an axis of unknown length at most, where that is so
STREAMS = 8  # rows at most that lie in pages of their own: what follows the sum reads and writes a piece of each of them
TYPICAL_BATCHES = (32, 64, 100, 128, 256)  # what an axis of unknown length may be; never more than what is likely

Borders = Mapping[str, tuple[range, ...]]  # of an axis the rows that have each of the terms


@struct(frozen=True)
class Tile:
    """`vectors` side by side; `rows`: axis -> rows of it, 1 for an axis that is not tiled."""

    vectors: int
    rows: Mapping[str, int]

    def __hash__(self) -> int:
        return hash((self.vectors, *self.rows.items()))

    def __str__(self) -> str:
        return " x ".join(map(str, (self.vectors, *self.rows.values())))

    @property
    def height(self) -> int:
        return math.prod(self.rows.values())


@struct(frozen=True)
class Room:
    """What a tile may take: `registers` in all, of which at most `sums` for each of `blocks` accumulators. `trip`: what a trip of
    the sum costs whatever the tile is, in multiply-adds; `load`: what each load costs, where there are fewer than multiply-adds; `last`:
    what it costs to tell a last tile from the others, as a factor. `streams`: of a tile with more vectors than rows these may be held,
    and vectors pass by one at a time. `line`: what a vector from the second-level cache takes at the least, 0 where that is not asked, and
    `near`: vectors up to which a panel stays in the first-level cache from tile to tile."""

    registers: int
    sums: int
    blocks: int = 1
    trip: float = 0.0
    load: float = 0.0
    last: float = 1.0
    streams: bool = False
    line: float = 0.0
    near: int = 0

    def holds(self, vectors: int, height: int) -> bool:
        sums = vectors * height
        return sums <= self.sums and (self.blocks * sums + vectors + 1 <= self.registers or self.holds_rows(vectors, height))

    def holds_rows(self, vectors: int, height: int) -> bool:
        """Whether there is room beside the sums for a tile's rows, but not for its vectors."""
        sums = self.blocks * vectors * height
        return self.streams and sums + height + 1 <= self.registers < sums + vectors + 1


def best_tiles(columns: DimLike, lanes: int, rows: Mapping[str, DimLike], room: Room, heights: tuple[int, ...] = (), each: float = NEAR,
               masked: bool = False, apart: frozenset[str] = frozenset(), cores: int = 1, few: int = 0,
               back: bool = False, borders: Borders | None = None, singly: bool = False) -> list[Tile]:
    """Every tile there is room for, the one that costs least for each result first: see `priced_tiles`."""
    return [tile for _, tile in priced_tiles(columns, lanes, rows, room, heights, each, masked, apart, cores, few, back, False, borders,
                                             singly)]


def priced_tiles(columns: DimLike, lanes: int, rows: Mapping[str, DimLike], room: Room, heights: tuple[int, ...] = (), each: float = NEAR,
                 masked: bool = False, apart: frozenset[str] = frozenset(), cores: int = 1, few: int = 0,
                 back: bool = False, narrow: bool = False, borders: Borders | None = None,
                 singly: bool = False) -> list[tuple[float, Tile]]:
    """Every tile there is room for, with what it costs for each result, in time of its multiply-adds; the one that costs least first.

    `columns`: extent along the lanes; `rows`: axis -> extent, in the order in which axes choose. `heights`: the only numbers of rows
    allowed of one axis, where they are not free. `each`: what a vector costs beyond a load. `masked`: a last tile that
    is not full is masked, and every tile with it. `apart`: axes whose rows lie a page or more apart. `cores`: among how many the panels
    alone are shared out. `few`: rows that are done at a time of a last tile of an axis of unknown length, `singly`: as many as hide the
    latency of an addition. `back`: rows of a last tile
    step back, `masked` or not. `narrow`: a last panel has as many vectors as are left. `borders`: of axes whose tiles at a border have code
    of their own the rows that have each of the terms.
    Of equal tiles the one nearest to two vectors and eight rows.
    """
    unknown, known = MOST_ROWS if few else CLAMPED_ROWS, borders or {}
    found = [Tile(vectors, dict(zip(rows, sizes, strict=True)))
             for vectors in range(1, MOST_VECTORS + 1) if vectors == 1 or not _covers(columns, lanes * (vectors - 1))
             for sizes in ([(n,) for n in heights] or tile_sizes(list(rows.values()), room.sums // vectors, unknown))
             if room.holds(vectors, math.prod(sizes))
             and all(n <= STREAMS for axis, n in zip(rows, sizes, strict=True) if axis in apart)]
    if not found:  # so many sums at once that none of these fits: the smallest spills least
        return [(math.inf, Tile(1, dict.fromkeys(rows, min(heights, default=1))))]

    def rank(tile: Tile) -> tuple[float, int, int, bool]:
        waste = _last_columns(columns, lanes, tile, each, room) if narrow else wasted(columns, tile.vectors * lanes)
        dead = [a for a, n in tile.rows.items() if wasted(rows[a], n) > 1 and not worth_a_short_tile(rows[a], n)]
        stuck = any(not isinstance(rows[a], Dim) for a in dead) and not back
        masks = CLAMPED if stuck else MASKED if waste > 1 or (dead and not back) else 1.0
        waste *= math.prod(_bordered(known[axis], size, tile, each, room) if axis in known else
                           _last_rows(rows[axis], size, tile, each, room, at_a_time(size, tile.vectors) if singly else few)
                           for axis, size in tile.rows.items())
        waste *= masks if masked else 1
        waste *= 1 if isinstance(columns, Dim) else wasted(-(-columns // (tile.vectors * lanes)), cores)
        told = [a for a, n in tile.rows.items() if a not in known and (worth_a_short_tile(rows[a], n) or clamped(rows[a], n))]
        waste *= room.last if told else 1
        whole = round(waste * cost(tile.vectors, tile.height, each, room), 2)
        return whole, abs(tile.vectors - 2), abs(tile.height - 8), next(iter(tile.rows.values()), 1) < tile.height

    return [(rank(tile)[0], tile) for tile in sorted(found, key=rank)]


def cost(vectors: int, rows: int, vector: float, room: Room) -> float:
    """Time of one product of a tile, in that of its multiply-adds alone. `vector`: the extra cost of one."""
    sums, loads = vectors * rows, vectors + rows
    products = sums + room.trip * MISSED * max(0, AT_EASE - sums)
    lines = vectors if room.line and vectors > room.near else 0
    busy = max(products, LOADS * loads, IN_FLIGHT, room.line * lines)
    trip = room.trip * (1 + (CROWDED * max(0, sums - TAKEN) if room.line else 0))
    return (busy + vector * vectors + FROM_NEXT * lines + room.load * loads + trip) / sums


def wasted(extent: DimLike, size: int) -> float:
    """What tiles of that size compute, as a multiple of the extent. Of an unknown extent that is the mean over likely ones."""
    if isinstance(extent, Dim):
        if divisor(extent) % size == 0:
            return 1.0
        sizes = [n * divisor(extent) for n in TYPICAL_BATCHES]
        return sum(-(-n // size) * size / n for n in sizes) / len(sizes)
    return float(-(-extent // size) * size / extent)


def at_a_time(size: int, sums: int) -> int:
    """Rows of a last tile that are done in the time of one, which waits for the latency of additions; `sums`: of a row."""
    return next(n for n in range(size, 0, -1) if size % n == 0 and (n == 1 or max(n * sums, n + sums) <= IN_FLIGHT))


def rows_of_a_sample(extent: DimLike, size: int) -> int:
    """The rows that a loop along the batch has for each sample, where these are many and tiles of that size would be of two samples, so
    that the kernel could not go through samples together with others; else 0."""
    rows = divisor(extent) if isinstance(extent, Dim) else 0
    return rows if rows >= 2 * size and rows % size else 0


def worth_a_short_tile(extent: DimLike, size: int) -> bool:
    """Whether a last tile that steps back would compute too much twice."""
    return not isinstance(extent, Dim) and extent > size and wasted(extent, size) >= 1 + SHORT


def clamped(extent: DimLike, size: int) -> bool:
    """Whether tiles fill an axis of unknown length only by chance, where others would surely do."""
    return isinstance(extent, Dim) and divisor(extent) > 1 and divisor(extent) % size > 0


def _last_columns(extent: DimLike, lanes: int, tile: Tile, vector: float, room: Room) -> float:
    """What panels of that width cost, as a multiple of what the columns would if all panels were whole, and the last has the vectors that
    are left."""
    if isinstance(extent, Dim):
        return wasted(extent, lanes * tile.vectors)
    whole, left = divmod(-(-extent // lanes), tile.vectors)
    shorter = cost(left, tile.height, vector, room) / cost(tile.vectors, tile.height, vector, room) if left else 0.0
    return float((whole * tile.vectors + left * shorter) * lanes / extent) * (NARROWER if whole and left else 1)


def _last_rows(extent: DimLike, size: int, tile: Tile, vector: float, room: Room, few: int) -> float:
    """What tiles of that size cost along an axis, as a multiple of what they would if all were whole."""
    known = not isinstance(extent, Dim)
    if not worth_a_short_tile(extent, size) if known else not few or divisor(extent) > 1:
        return wasted(extent, size)

    def of(rows: int) -> float:
        left = rows % size
        each = left if known else few
        if not left:
            return 1.0
        shorter = cost(tile.vectors, tile.height // size * each, vector, room) / cost(tile.vectors, tile.height, vector, room)
        return (rows - left + -(-left // each) * each * shorter) / rows
    return of(extent) if not isinstance(extent, Dim) else sum(map(of, TYPICAL_BATCHES)) / len(TYPICAL_BATCHES)


def _bordered(terms: tuple[range, ...], size: int, tile: Tile, vector: float, room: Room) -> float:
    """What tiles of that size cost along an axis, as a multiple of what they would if all were whole: those at the border do each of the
    `terms` for the rows alone that have it. There may be terms that no row has (the outer taps of a filter larger than the image)."""
    done = 0.0
    for rows in filter(None, terms):
        for start in range(rows.start // size * size, rows.stop, size):
            alive = min(start + size, rows.stop) - max(start, rows.start)
            done += alive * cost(tile.vectors, tile.height // size * alive, vector, room)
    return done / (sum(map(len, terms)) * cost(tile.vectors, tile.height, vector, room))


def _covers(extent: DimLike, width: int) -> bool:
    return not isinstance(extent, Dim) and extent <= width


def tile_sizes(extents: list[DimLike], room: int, unknown: int = CLAMPED_ROWS) -> Iterator[tuple[int, ...]]:
    """Every choice of rows for each axis with a product of at most `room`; of an axis of unknown length at most `unknown`."""
    if not extents:
        yield ()
        return
    extent = extents[0]
    clamped = isinstance(extent, Dim) and divisor(extent) == 1
    most = min(room, unknown) if clamped else min(room, divisor(extent) if not isinstance(extent, Dim) else room)
    for size in range(1, most + 1):
        for rest in tile_sizes(extents[1:], room // size, unknown):
            yield size, *rest
