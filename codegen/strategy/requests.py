"""Requests: memory that is asked for while something else is computed, so that nothing waits for it later."""

from __future__ import annotations

import math

from ...ir.types import Dim
from ..access import MANY, accesses, chain, guess, inner_loops, static
from ..nest import FOR, Acc, Loop, Nest, statements
from ..runs import trips_of_a_sample
from ..schedule import approach, errand, expect, foresee, is_asked, lead, meanwhile, next_panel, next_sample, prefetch, unasked, upcoming
from ..schedule.approach import approachable
from ..schedule.errand import errands
from ..schedule.expect import Expected, expected
from ..schedule.foresee import foreseeable
from ..schedule.lead import leading, lines, tile_sums
from ..schedule.meanwhile import trickling
from ..schedule.next_panel import has_next_panel
from ..schedule.prefetch import streams
from .lines import CYCLES, Lines

STORED = 4096  # bytes between what a tile stores and what is asked for when it begins
WHILE = 16  # vectors that are added up for each line that an epilogue asks for: fewer are soon done, and cost less than the requests
SHORT_WHILE = 512  # the same, for each line that an epilogue writes: beside more, what memory takes for it is not seen
LONG_WHILE = 1024  # and for each line of a sample, with vectors of 32 bytes
PART_OF_A_SAMPLE = 3  # in a third of which at least a tile reads: where these overlap, each is the first to read little
SHORT_VECTORS = 32  # bytes of vectors with which trips have time to ask for a sample
NEXT = 8  # elements of an image that are asked for ahead, where a sum goes over it


class Requests(Lines):
    """What is asked for during which sum, and how long before it is wanted."""

    def _ask(self, array: str, nest: Nest, note: str) -> None:
        """Goes on with a nest that asks for something of an array, and notes it, unless that will be taken back (see _unasked)."""
        self.nest = nest
        if array not in nest.by_row:
            self.note(note)

    def _prefetch(self) -> None:
        """Asks for the rows of the next tile, where they come from an array that may be too large for the second-level cache."""
        for array, over in dict.fromkeys((stream.array, stream.loop.var) for stream in streams(self.nest)):
            kind = self.nest.arrays[array]
            if isinstance(kind.size, Dim) or kind.size * kind.dtype.size > self.target.l2 // 2:
                self._ask(array, prefetch(self.nest, array, over),
                          f"the rows of {array} for the next tile are asked for while this one is summed over {over}")

    def _approach(self) -> None:
        """Where panels lie one after the other: asks for the next one, and for what the next tile's epilogue meets."""
        sums = {loop.var: loop for loop, _ in tile_sums(self.nest.body)} if self.columns else {}
        for over, loop in sums.items():
            for array, kind in self.nest.arrays.items():
                again = array in self.nest.in_place  # what is read where it is stored has been asked for
                if not again and approachable(self.nest, array, over) and guess(kind.size, MANY) * kind.dtype.size > self.target.l2 // 4:
                    self._ask(array, approach(self.nest, array, over),
                              f"what the next tile's epilogue meets of {array} is asked for while this one is summed over {over}")
                if has_next_panel(self.nest, array, over) \
                        and self._read_by_a_tile(loop, lines(self.nest, loop, array)) > self.target.l1 * 3 // 4:
                    self._ask(array, next_panel(self.nest, array, over),
                              f"the next panel of {array} is asked for while tiles of this one are summed over {over}")

    def _foresee(self) -> None:
        """Asks for what a tile that shares its vectors with no other row meets first: the row of an image that is new, or, where the sum
        goes over an image, what comes next in it."""
        common = chain(self.nest.body)
        body = common[-1].body if common else ()
        sums = [loop for loop in inner_loops(body) if loop.mode == FOR and not any(
            isinstance(s, Loop) and s.mode == FOR for s in statements(loop.body))]
        if not self.apart or not sums:
            return
        long = (static(sums[0].extent) or 0) >= NEXT
        rows = [x for x in body if isinstance(x, Loop) and any(isinstance(s, Acc) for s in x.inside)]
        if long and common and self.swept:
            for array in dict.fromkeys(a.array for a in accesses(self.nest, sums[0].body) if not a.store):
                if foreseeable(self.nest, array, rows[0].var, 1):
                    self._ask(array, foresee(self.nest, array, rows[0].var, 1),
                              f"what {array} holds that is new 1 of {rows[0].var} later is asked for")
            return
        around = sums[:1] if long else common
        trips = max(1, NEXT // sums[0].step) if long else 1
        for array in dict.fromkeys(a.array for a in accesses(self.nest, body) if not a.store):
            kind = self.nest.arrays.get(array)
            loop = next((x for x in around if foreseeable(self.nest, array, x.var, trips)), None)
            if loop and kind and isinstance(kind.size, Dim):
                self._ask(array, foresee(self.nest, array, loop.var, trips),
                          f"what {array} holds that is new {trips} of {loop.var} later is asked for")
        for array in dict.fromkeys(a.array for a in accesses(self.nest, body) if a.store and not long):
            kind = self.nest.arrays.get(array)
            far = [(x, n) for x in common if kind and (n := self._moved(array, x) * kind.dtype.size) >= STORED // 4]
            trips = -(-STORED // far[-1][1]) if far else 0
            if far and kind and isinstance(kind.size, Dim) and foreseeable(self.nest, array, far[-1][0].var, trips):
                self._ask(array, foresee(self.nest, array, far[-1][0].var, trips),
                          f"where {array} is stored to {trips} of {far[-1][0].var} later is asked for")

    def _moved(self, array: str, loop: Loop) -> int:
        """By how many elements a trip of a loop moves what is stored, if that is known."""
        n = next(a for a in accesses(self.nest, (loop,)) if a.store and a.array == array).coefficient(loop.back or loop.var)
        return n * loop.step if isinstance(n, int) else 0

    def _meanwhile(self) -> None:
        """Asks for what the next block of a long sum reads, while this one is summed in loops of known length."""
        for blocks in [loop for loop in self.nest.body if isinstance(loop, Loop) and loop.var.endswith(".o.b")]:
            over = blocks.var.removesuffix(".b")
            if any(True for _ in trickling(blocks, over)):
                self.nest = meanwhile(self.nest, over)
                self.note(f"what the next block of {over} reads is asked for while this one is summed, line by line")

    def _lead(self) -> None:
        """Asks for the lines of a long sum some trips ahead, where those of a tile do not stay in the first-level cache."""
        if self.apart:
            return  # of a window `_foresee` asks for what is new
        wanted: dict[tuple[str, str], int] = {}
        for loop, vectors in tile_sums(self.nest.body):
            for array, found in self._led(loop, vectors):
                if not self.target.wide and self._samples(array):
                    continue  # of which each tile would ask for its own part, the first of them for all that comes from a far cache
                if loop.step > 1 and not self.nest.still and (self.taps or not self._read_once(loop, array, found)):
                    continue  # a load of each of several terms steps so far that the processor asks a near cache in time
                fewest = min(x.step for x in leading(self.nest, array, loop.var, bool(self.columns)))
                trips = min(-(-2 * CYCLES // vectors), self._held(loop, array, found)) * loop.step // fewest
                wanted[array, loop.var] = min(wanted.get((array, loop.var), CYCLES), trips)  # of whole tiles
        for (array, over), trips in wanted.items():
            self._ask(array, lead(self.nest, array, over, trips, *(["ends"] if self.columns else [])),
                      f"of {array} what the sum over {over} takes {trips} trips later is asked for")

    def _upcoming(self) -> None:
        """Asks for the next sample of what tiles read sample by sample (see _samples)."""
        for array in self.nest.arrays:
            if samples := self._samples(array):
                self.nest = upcoming(self.nest, array, samples)
                self.note(f"the next of {samples} of {array} is asked for while this one is summed")

    def _samples(self, array: str) -> str:
        """The loop over samples of which the next one is asked for of an array: where all of it comes from far away, each tile reads in a
        good part of a sample, and nothing else asks for it: a kernel that goes through the samples with others runs errands meanwhile. ''
        where that is not so."""
        kind = self.nest.arrays.get(array)
        if kind is None or self.nest.along or self.apart or self.target.vector_bytes < SHORT_VECTORS or is_asked(self.nest, array):
            return ""
        far = guess(kind.size, MANY) * kind.dtype.size > self.target.l2 // 2
        for samples in [s for s in self.nest.body if far and isinstance(s, Loop) and isinstance(s.extent, Dim)]:
            found = next_sample(self.nest, array, samples.var)
            most = math.inf if self.target.wide else LONG_WHILE
            if found and WHILE <= found.products <= most and found.span * PART_OF_A_SAMPLE >= found.size \
                    and found.size * kind.dtype.size <= self.target.l2 // 4:
                return samples.var
        return ""

    def _expect(self) -> None:
        """Asks for what epilogues read of the samples of a batch, which may come from memory, and then for what they write."""
        found = [e for e in expected(self.nest) if e.added >= WHILE and e.array in self.nest.arrays
                 and isinstance(self.nest.arrays[e.array].size, Dim)]
        read = [e for e in found if not e.stored]
        for array in dict.fromkeys(e.array for e in read):
            self._ask(array, expect(self.nest, array), f"what a tile's epilogue reads of {array} is asked for while the tile sums")
        after = 2 * max((e.trips for e in read), default=0)  # what comes first would else wait for what comes last
        for array in dict.fromkeys(e.array for e in found if self._stores_far(e)):
            latest = min(guess(e.over.extent) // e.over.step - e.trips for e in found if e.array == array)
            first = max(0, min(latest, after))
            self._ask(array, expect(self.nest, array, *([first] if first else [])), f"where it stores {array} is asked for meanwhile, too")

    def _stores_far(self, e: Expected) -> bool:
        """Whether a tile may wait for memory when it stores what exceeds the second-level cache: beside many products for each line
        nothing is seen of it. With vectors of 32 bytes a trip has no time for the requests, nor registers for their places."""
        size = guess(self.nest.arrays[e.array].size, MANY) * self.nest.arrays[e.array].dtype.size
        return e.stored and e.added <= SHORT_WHILE and size > self.target.l2 and self.target.wide

    def _errands(self) -> None:
        """In a kernel that may go through the samples with others, a few at a time: asks for what the thread will do next."""
        if self.nest.along and self.target.wide and trips_of_a_sample(self.nest):
            for over, (every, few) in errands(self.nest).items():
                self.nest = errand(self.nest, over, every, *([few] if few > 1 else []))
                what = f"{few} lines in a trip" if few > 1 else f"a line in {every} trips"
                self.note(f"while {over} is summed, {what} of what the thread will do next is asked for")

    def _unasked(self) -> None:
        """Takes back what the steps before ask for of arrays that are read row by row."""
        for array in self.nest.by_row:
            if is_asked(self.nest, array):
                self.nest = unasked(self.nest, array)
                self.note(f"nothing is asked for of {array}: where its rows lie is told by a table")
