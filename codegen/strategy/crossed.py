"""Crossed rows: products with the sum as lanes, in tiles of the rows of one operand by those of the other."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping

from ...ir.types import Dim, DimLike
from ..access import Access, accesses, chain, guess, inner_loops, static, useful_lanes
from ..epilogue import is_dear
from ..nest import Acc, Accum, Loop, Nest, Stmt
from ..schedule import across, chains, jam, oncoming, reorder, rfactor, tile, unroll, why_not_across, why_not_chains, why_not_oncoming
from ..tiles import AT_EASE, CLAMPED_ROWS, IN_FLIGHT, MISSED, SHORT_TRIP, wasted
from ..windows import WIDE, edge
from .base import Scheduling

FEW = 4  # columns that are no lanes: a sum is, even where another operand could be packed for them
MOST_COLUMNS = 64  # and of a sum that is long beside them
PRODUCTS = 64  # at most that are written out
LONG_SUM = 8  # vectors of a sum, below which folding its lanes is most of the work


class Crossed(Scheduling):
    """Tiles of sums that are cut into lanes: each vector is read once for all of the other operand's rows."""

    slid: tuple[str, str] | None = None  # rows of a product of one column, and the taps along which they slide
    few_rows: tuple[str, str, int] | None = None  # those rows, taps that are written out, and how many rows have registers for sums of all
    beside: str = ""  # rows of a tile whose sums are cut into lanes, and are folded side by side

    def _crossed(self, few: bool = False) -> bool:
        """Tiles of the rows of two operands, of which each is read once for all of the other: a product of which both move along the sum
        alone, and nothing else suits the lanes. Else each result would load two vectors for each multiply-add. Where the results have few
        columns, or one, the rows of one operand are the tile. With `few` only few columns count (`_few_columns`)."""
        common = chain(self.nest.body)
        body = common[-1].body if common else ()
        sums, loads = summed_in_lanes(self.nest, body)
        if not sums:
            return False
        over = sums[-1]
        lanes = useful_lanes(self.nest, self.target, over)
        rows = [loop for a, b in (loads, loads[::-1]) if (loop := _shared(common, a, b, sums))]
        if few and not self._few_columns(rows, _length(sums) // lanes):
            return False
        taps = next((static(loop.extent) or 1 for loop in sums if self.slid and loop.var == self.slid[1]), 1)
        long = [loop for loop in rows if self.slid and loop.var == self.slid[0] and len(rows) == 1 and taps > 1
                and _length(sums) >= LONG_SUM * lanes * taps and not self.target.wide]
        chained = min(IN_FLIGHT - 1, (self.target.registers - 1) // taps - 1)  # rows that have registers for a sum for each tap
        sizes = tuple(_slid_rows(static(loop.extent) or 1, taps, chained, self.target.registers - taps - 1) for loop in long) or \
            _sides([loop.extent for loop in rows], self.target.registers, lanes, taps)
        sides = {loop.var: size for loop, size in zip(rows, sizes, strict=False) if size > 1}
        known = {loop.var: sides[loop.var] for loop in rows if loop.var in sides and static(loop.extent)}
        longest = max(known, key=known.__getitem__, default="")  # folded side by side
        instances = math.prod(n for var, n in sides.items() if var != longest)
        if not sides or (not longest and (len(sides) == 1 or _length(sums) < LONG_SUM * lanes)) or (is_dear(body) and instances > FEW):
            return False
        self.edge = next(((row, taps.var) for row in sides for taps in sums[:-1]
                          if edge(loads, next(x for x in rows if x.var == row), taps)), None)
        self._trim_all()
        common = chain(self.nest.body)
        count = self._written_out(sums, sides, lanes)
        self._cut(over.var, lanes * count, lanes)
        self.nest = rfactor(self.nest, f"{over.var}.i.v")
        order, inside = [], []
        for loop in common:
            if (size := sides.get(loop.var, 1)) > 1 and static(loop.extent) != size:
                self.nest = tile(self.nest, loop.var, size)
                order.append(f"{loop.var}.o")
            elif size == 1:
                order.append(loop.var)
            if size > 1:
                inside.append(loop.var if static(loop.extent) == size else f"{loop.var}.i")
                self.nest = unroll(self.nest, inside[-1])
        inside.sort(key=lambda name: -sides.get(name, sides.get(name.removesuffix(".i"), 1)))  # what the last read stays in registers
        self.nest = reorder(self.nest, *order, *inside)
        for name in reversed(inside):
            self.nest = jam(self.nest, name)
        self.tiled = inside
        self.beside = next((name for name in inside if name.removesuffix(".i") == longest), "")
        if self.beside and long and self.slid:
            self.few_rows = self.beside, self.slid[1], chained
        self.note(f"vectors along {over.var}, which is reduced: {lanes} lanes, for " + " by ".join(
            f"{size} of {var}" for var, size in sides.items()) + " at a time")
        return True

    def _few_columns(self, rows: list[Loop], vectors: int) -> bool:
        """Whether one of two operands has so few rows that to pack the other for lanes along its rows takes too much of the time, for a sum
        of so many vectors."""
        known = [extent for loop in rows if (extent := static(loop.extent))]
        return (len(rows) == 2 and any(n <= min(MOST_COLUMNS, vectors) for n in known)) or (len(known) == 2 and min(known) <= FEW)

    def _written_out(self, sums: list[Loop], sides: Mapping[str, int], lanes: int) -> int:
        """Writes out the taps along which a single column's rows slide, so that they share what they read; or else says how many vectors of
        the sum a trip takes."""
        if self.slid and self.slid[0] in sides and len(sides) == 1:
            row, taps = self.slid
            inside = [loop.var for loop in sums[[loop.var for loop in sums].index(taps) + 1:]]
            self.nest = unroll(reorder(self.nest, *inside, taps), taps)
            self.note(f"{row} slides along {taps}: what its trips hold is read once")
            return 1
        most = PRODUCTS // math.prod(sides.values())
        return max(n for n in range(1, max(1, most) + 1) if n == 1 or (static(sums[-1].extent) or 1) % (lanes * n) == 0)

    def _oncoming(self) -> None:
        """Asks for the next row of an image along whose rows the tiles slide, too, where the images may not fit a near cache."""
        if not (self.beside or self.taps):
            return
        for array, kind in self.nest.arrays.items():
            row = next((loop.var for loop in reversed(chain(self.nest.body)) if not why_not_oncoming(self.nest, array, loop.var)), "")
            if row and isinstance(kind.size, Dim) and (self.beside or self._slides(array, row)):
                self.nest = oncoming(self.nest, array, row)
                self.note(f"what the next trip of {row} is the first to read of {array} is asked for while a tile is summed")

    def _slides(self, array: str, row: str) -> bool:
        """Whether each tile sums fewer rows of an image than there are tiles below one another: in a filter's gradient it is the other
        way round, and a tile has read nearly all that the next one reads."""
        around = chain(self.nest.body)
        read = next(a for a in accesses(self.nest, around[-1].body) if a.array == array and not a.store)
        moves = [(n, loop.extent) for loop in inner_loops(around[-1].body) if isinstance(n := read.coefficient(loop.var), int)]
        rows, (_, summed) = next(loop.extent for loop in around if loop.var == row), max(moves, key=lambda move: move[0])
        return guess(summed) < guess(rows)

    def _across(self) -> None:
        """Sums that are cut into lanes are folded side by side."""
        if self.few_rows and not why_not_chains(self.nest, *self.few_rows):
            rows, over, most = self.few_rows
            self.nest = chains(self.nest, rows, over, most)
            self.note(f"tiles of at most {most} of {rows} sum each trip of {over} by itself: they would wait for one another")
        if self.beside and not why_not_across(self.nest, self.beside):
            self.nest = across(self.nest, self.beside)
            self.note(f"the sums of {self.beside} are folded side by side, and are the lanes of what follows")


def summed_in_lanes(nest: Nest, body: tuple[Stmt, ...]) -> tuple[list[Loop], list[Access]]:
    """The loops of a product's sum, one inside the other, and its two loads, which the last of the loops goes along; none where a body is
    no such sum."""
    sums = [s for s in body if isinstance(s, Loop)]
    if len(sums) != 1 or not isinstance(body[0], Acc):
        return [], []
    while len(sums[-1].body) == 1 and isinstance(sums[-1].body[0], Loop):
        sums.append(sums[-1].body[0])
    over = sums[-1]
    loads = [a for a in accesses(nest, (over,)) if not a.store]
    moving = all(a.coefficient(over.var) == 1 and not any(over.var in g.index.variables for g in a.guards) for a in loads)
    product = all(loop.plain for loop in sums) and [type(s) for s in over.body] == [Accum] and len(loads) == 2
    return (sums, loads) if product and moving else ([], [])


def find_slid(nest: Nest, common: list[Loop]) -> tuple[str, str] | None:
    """The rows of a product of one column and the taps along which what they read slides."""
    sums, found = summed_in_lanes(nest, common[-1].body if common else ())
    for load, other in (found, found[::-1]) if sums else ():
        if any(other.depends_on(loop.var) for loop in common if static(loop.extent) != 1):
            continue
        for loop, taps in itertools.product(reversed(common), reversed(sums[:-1])):
            slides = load.coefficient(loop.var) == load.coefficient(taps.var) != 0
            # in an image of one column, taps to the side move like those below, but what they read past its border is no matter of the row
            if slides and edge([load], loop, taps) is not None and (static(taps.extent) or WIDE + 1) <= WIDE:
                return loop.var, taps.var
    return None


def _length(sums: list[Loop]) -> int:
    return math.prod(guess(loop.extent) for loop in sums)


def _shared(common: list[Loop], load: Access, other: Access, sums: list[Loop]) -> Loop | None:
    """The innermost loop along whose rows the other operand is read but once. Where a guard moves along it, tiles at the border of an image
    are to be told from the others by the taps."""
    for loop in reversed(common):
        if load.depends_on(loop.var) and not other.depends_on(loop.var):
            guarded = [g for g in load.guards if loop.var in g.index.variables]
            if not guarded or any(edge([load], loop, taps) and (static(taps.extent) or WIDE + 1) <= WIDE for taps in sums[:-1]):
                return loop
    return None


def _slid_rows(extent: int, taps: int, chained: int, most: int) -> int:
    """Rows of a tile that slide along taps which are written out, of an axis of so many. Each row is a chain of additions: eight rows just
    hide what these take, twelve do. Where no more than `chained` rows are left, they have a sum for each tap."""
    def time(rows: int) -> float:
        products, sums = rows * taps, rows * taps if rows <= chained else rows
        late = products * MISSED * max(0, AT_EASE - sums) / AT_EASE
        return max(products, IN_FLIGHT * products / sums) + late + SHORT_TRIP if rows else 0.0

    choices = range(min(extent, chained + 1), min(extent, most) + 1)
    return min(choices, key=lambda rows: extent // rows * time(rows) + time(extent % rows))


def _sides(extents: list[DimLike], registers: int, lanes: int, taps: int) -> tuple[int, ...]:
    """Rows of two operands, or of one and one of the other, in a tile of sums: as many products for each load as registers allow, but
    enough of them to hide a latency. `taps`: trips of a loop along which the rows of one slide that are written out."""
    extents = [*extents, 1][:2]

    def worth(sides: tuple[int, ...]) -> float:
        products, loads = math.prod(sides), (sum(sides) + 2 * (taps - 1)) / taps
        return products * min(1, products / IN_FLIGHT) / (loads * math.prod(map(wasted, extents, sides)))

    choices = itertools.product(*(range(1, (CLAMPED_ROWS if isinstance(n, Dim) else min(n, lanes)) + 1) for n in extents))
    return max((n for n in choices if math.prod(n) + min(n) + 1 <= registers - (2 if registers > 16 else 0)), key=worth)
