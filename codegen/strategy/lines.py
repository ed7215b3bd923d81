"""Which lines of the caches the sum of a tile reads, and from how far away they come."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...ir.scalar import Aff
from ...ir.types import DimLike
from ..access import MANY, guess, inner_loops, static
from ..conflicts import room_for
from ..nest import Acc, Loop, all_loads
from ..schedule.lead import lines
from ..target import LINE
from .base import Scheduling

CYCLES = 160  # before a line is loaded it is asked for: what the second-level cache takes, and most of what the third does
MOST_LINES = 4  # of an array that are asked for in a trip, or one for every LEAST_SUMS products: so many loads are free
FAR_ROWS = 1024  # bytes between rows that are no stream
AGAIN = 2  # tiles that read the same lines, up to which most come from far away
LEAST_SUMS = 8  # of a trip, without which it is over before anything arrives


class Lines(Scheduling):
    """What of a tile's operands stays in a near cache, and what has to be asked for. Lines are given by the elements they begin with, as
    places that move with the loops."""

    def _led(self, loop: Loop, vectors: int) -> Iterator[tuple[str, list[Aff]]]:
        """Arrays of which a tile's sum takes lines that do not stay in the first-level cache, and those of a trip."""
        for array in dict.fromkeys(load.array for load in all_loads(loop.body)):
            if array.startswith("rows."):
                continue  # packed: a tile takes one stretch of memory, less than a line in each trip
            found = lines(self.nest, loop, array, bool(self.columns))
            few = 0 < len(found) <= max(MOST_LINES, vectors // LEAST_SUMS)
            read = self._read_meanwhile if self.columns else self._read_by_a_tile
            if vectors >= LEAST_SUMS and few and (read(loop, found) > self.target.l1 * 3 // 4 or self._far(loop, array, found)):
                yield array, found

    def _far(self, loop: Loop, array: str, found: list[Aff]) -> bool:
        """Whether the lines of an array come one by one from a far cache: rows of a batch lie so far apart that no processor sees them as a
        stream, and few tiles read them again."""
        apart = found[0].coefficient(loop.var)
        size = self.nest.dtype_of(array).size
        few = self._read_again(loop, array, found) <= AGAIN
        return few and isinstance(apart, int) and apart * size * loop.step >= FAR_ROWS and not self.nest.still

    def _read_again(self, loop: Loop, array: str, found: list[Aff]) -> float:
        """How many tiles read the lines of an array that come from a far cache; infinity where they stay in a near one."""
        around = [x for x in inner_loops(self.nest.body) if loop in x.inside and found[0].coefficient(x.var) == 0]
        far = guess(self._size(array), MANY) * self.nest.dtype_of(array).size > self.target.l2 // 2
        return math.prod(-(-guess(x.extent, MANY) // x.step) for x in around) if far else math.inf

    def _read_once(self, loop: Loop, array: str, found: list[Aff]) -> bool:
        """Whether one tile alone reads what comes from a far cache: others are further on by more than all that it reads."""
        around = [(x, found[0].coefficient(x.var)) for x in inner_loops(self.nest.body) if x is loop or loop in x.inside]
        if self._read_again(loop, array, found) > 1 or not all(isinstance(n, int) for _, n in around):
            return False
        moves = [(x, int(str(n)), any(isinstance(s, Acc) for s in x.inside)) for x, n in around]
        reach = max(n * guess(x.extent, MANY) for x, n, tiles in moves if not tiles)
        return all(n * x.step >= reach for x, n, tiles in moves if tiles and (static(x.extent) or MANY) > x.step)

    def _read_by_a_tile(self, over: Loop, found: list[Aff]) -> int:
        """Bytes of the lines that a tile reads while it sums. What one trip of an outer loop reads where another did, as the taps of an
        image's rows do, counts once."""
        if not found:  # a line serves several trips
            return 0
        trips, places = 1, set(found)
        for loop in inner_loops(self.nest.body):
            if loop is over or (over in loop.inside and not any(isinstance(s, Acc) for s in loop.inside)):
                moved = found[0].coefficient(loop.var)
                trips *= -(-guess(loop.extent, MANY) // loop.step) if moved != 0 else 1
                if isinstance(moved, int) and moved != 0:
                    places = {place for place in places if place + moved * loop.step not in places}
        return trips * len(places) * LINE

    def _read_meanwhile(self, over: Loop, found: list[Aff]) -> int:
        """Bytes of the lines that are read before one of them is read again."""
        size = len(found) * LINE
        for loop in reversed([x for x in inner_loops(self.nest.body) if x is over or over in x.inside]):
            if found[0].coefficient(loop.var) != 0:
                size *= -(-guess(loop.extent, MANY) // loop.step)
            elif (static(loop.extent) or MANY) > loop.step:
                break
        return size


    def _held(self, loop: Loop, array: str, found: list[Aff]) -> int:
        """Trips of a sum of which the first-level cache holds the lines of an array beside what else it has: those that lie a power of two
        apart push each other out before they are read."""
        apart = found[0].coefficient(loop.var)
        size = self.nest.dtype_of(array).size * loop.step
        return max(1, room_for(apart * size, self.target) * 2 // 3) if isinstance(apart, int) else CYCLES

    def _size(self, array: str) -> DimLike:
        """Elements of an array, or of private memory."""
        return self.nest.arrays[array].size if array in self.nest.arrays else self.nest.scratch[array][1]
