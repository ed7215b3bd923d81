"""The last steps of a schedule: tiles that are not full step back, have code of their own or are done row by row; what will be read
soon is asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

from ...ir.scalar import Aff
from ...ir.types import Dim, DimLike
from ..access import MANY, accesses, chain, guess, inner_loops, static
from ..conflicts import WAY, room_for
from ..nest import FOR, UNROLL, VECTOR, Acc, Loop, Transpose, all_loads, loops, statements, stmt_expr
from ..runs import trips_of_a_sample
from ..schedule import (
    abreast,
    along,
    approach,
    backwards,
    behind,
    can_have_several,
    errand,
    expect,
    foresee,
    lead,
    meanwhile,
    narrow,
    next_panel,
    opposite,
    prefetch,
    several,
    short,
    singly,
    slide,
    slide_sums,
    unpacked,
    why_not_along,
    why_not_back,
    why_not_narrow,
    why_not_opposite,
    why_not_short,
    why_not_singly,
    why_not_slide,
    why_not_slide_sums,
    why_not_unpacked,
)
from ..schedule.approach import approachable
from ..schedule.behind import epilogue_behind, waits_for_a_root
from ..schedule.errand import errands
from ..schedule.expect import Expected, expected
from ..schedule.foresee import foreseeable
from ..schedule.lead import lines, tile_sums
from ..schedule.meanwhile import trickling
from ..schedule.next_panel import has_next_panel
from ..schedule.prefetch import streams
from ..schedule.stages import divides
from ..schedule.unpacked import row_stride
from ..target import LINE
from ..terms_in_common import kept_for_terms, shared_by_terms
from ..tiles import IN_FLIGHT, worth_a_short_tile
from .base import Scheduling

CYCLES = 160  # before a line is loaded it is asked for: what the second-level cache takes, and most of what the third does
MOST_LINES = 4  # of an array that are asked for in a trip, or one for every LEAST_SUMS products: so many loads are free
FAR_ROWS = 1024  # bytes between rows that are no stream
AGAIN = 2  # tiles that read the same lines, up to which most come from far away
USUAL = 32  # rows of a batch
LEAST_SUMS = 8  # of a trip, without which it is over before anything arrives
LAG = 2  # vectors between a root and the division that waits for it
STORED = 4096  # bytes between what a tile stores and what is asked for when it begins
UNPACKED_TILES = 4  # of rows, up to which panels are read where they lie: to pack one takes as long as two or three
MOST_TERMS = 4  # of a sum that a trip adds
WRITTEN_OUT = 64  # products at most that they are
ALL_WRITTEN_OUT = 168  # the same, of few terms that are all there are: FEW_TERMS of 24 sums
FEW_TERMS = 7
WHILE = 16  # vectors that are added up for each line that an epilogue asks for: fewer are soon done, and cost less than the requests
SHORT_WHILE = 512  # the same, for each line that an epilogue writes: beside more, what memory takes for it is not seen
NEXT = 8  # elements of an image that are asked for ahead, where a sum goes over it


class Tails(Scheduling):
    """Nothing after these steps cuts a loop."""

    def _terms_side_by_side(self) -> None:
        """Lanes take terms side by side, once the operand that lies along them is packed."""
        if self.abreast:
            terms, ways = self.abreast
            over, vectors = terms.over[-1], max(vectors for _, vectors in tile_sums(self.nest.body))
            counts = [n for n in range(1, WRITTEN_OUT // vectors + 1) if terms.count >= 2 * n * ways and (n == 1 or not self.nest.still)]
            count = min(counts[:MOST_TERMS], key=lambda n: (terms.count % (n * ways) // ways, -n), default=1)
            self.nest = abreast(self.nest, terms.array, over, ways, count)
            self.note(f"{terms.array} is packed so, {ways} terms of each column side by side; {count * ways} terms are added in each trip")

    def _last_rows(self) -> None:
        """The vectors of a last panel that is not full: fewer. The rows of such a tile: fewer, or along an axis of unknown length one by
        one."""
        if self.narrow and not why_not_narrow(self.nest, self.narrow):
            back = not why_not_back(self.nest, self.narrow)
            self.nest = narrow(self.nest, self.narrow, *(["back"] if back else []))
            how = "; they step back, and nothing is masked" if back else ""
            self.note(f"the last panel of {self.narrow} has the vectors that are left, and code of its own{how}")
        for loop in [x for x in inner_loops(self.nest.body) if x.mode == UNROLL and x.clip and isinstance(x.clip.extent, int)]:
            assert loop.clip
            if not why_not_short(self.nest, loop.var) and worth_a_short_tile(loop.clip.extent, int(str(loop.extent))):
                self.nest = short(self.nest, loop.var)
                self.note(f"the last tile of {loop.var} has the rows that are left, and code of its own")
        for var in dict.fromkeys(loop.var for loop in inner_loops(self.nest.body) if loop.mode == UNROLL and loop.clip):
            if not why_not_singly(self.nest, var):
                few = self._few(var)
                more = self._more(var, few)
                self.nest = singly(self.nest, var, *([few] if few > 1 else []), *([more] if more else []))
                how = "one by one" if few == 1 else f"{few} at a time, after {more} at once" if more else f"{few} at a time"
                self.note(f"whole tiles of {var} are told from the last one, whose rows are done {how}")

    def _few(self, var: str) -> int:
        """Rows of a tile that are done in the time of one, which waits for the latency of additions; one where nothing is trained: there
        batches of one row are usual, and wait for the weights, of which fewer loads are in flight beside more products."""
        if self.nest.still:
            return 1
        sums = max(_sums(s, var) for s in statements(self.nest.body) if isinstance(s, Acc) and any(d.var == var for d in s.dims))
        count = int(str(loops(self.nest, var)[0].extent))
        return next(n for n in range(count, 0, -1) if count % n == 0 and (n == 1 or max(n * sums, n + sums) <= IN_FLIGHT))

    def _more(self, var: str, few: int) -> int:
        """Rows of a last tile that come first, at once: those that a batch of 32 leaves, or 128, or 512."""
        left = USUAL % int(str(loops(self.nest, var)[0].extent))
        return left if few > 1 and left > few and left % few == 0 else 0

    def _whole_tiles(self) -> None:
        """Last tiles that are not full step back where that does no harm: then no tile is masked or clamped."""
        packed = {f"{var}.o": f"{var}.q" for _, var, _ in self.whole}
        for var in dict.fromkeys(loop.var for loop in inner_loops(self.nest.body) if loop.mode == UNROLL or loop.step > 1):
            tiles = (var, packed[var]) if var in packed else (var,)
            if not why_not_slide(self.nest, *tiles):
                self.nest = slide(self.nest, *tiles)
                what = "vector" if var.endswith(".u") else "tile"
                self.note(f"the last {what} of {var} steps back and is a whole one: nothing is masked")
            elif not why_not_slide_sums(self.nest, var):
                self.nest = slide_sums(self.nest, var)
                self.note(f"the sums of the last tile of {var} step back; what follows takes the rows that are its own")

    def _unpacked(self) -> None:
        """Panels that are packed at every call are read where they lie if the batch has few rows."""
        for array in [name.removeprefix("pack.") for name in self.nest.scratch if name.startswith("pack.")]:
            for rows in [var.removesuffix(".i") for var in self.tiled]:
                if not why_not_unpacked(self.nest, array, rows):
                    tiles = self._unpacked_tiles(array, rows)
                    few = tiles * loops(self.nest, f"{rows}.o")[0].step
                    self.nest = unpacked(self.nest, array, rows, few)
                    self.note(f"up to {few} rows of {rows} read {array} where it lies: to pack it would take longer")
                    if not why_not_along(self.nest, array, rows):
                        self.nest = along(self.nest, array, rows)
                        self.note(f"of more rows the first tile packs {array} while it sums")

    def _unpacked_tiles(self, array: str, rows: str) -> int:
        """Tiles of rows up to which a panel is read where it lies. One, where the first of more may pack it and that costs little: with
        short vectors, or where all lines of a panel have one place in the first-level cache, which each tile would read from far away."""
        packs_along = any(True for _ in loops(self.nest, f"{rows}.w"))
        apart = row_stride(self.nest, array)
        near = isinstance(apart, int) and apart * self.nest.dtype_of(array).size % WAY == 0
        return 1 if packs_along and (near or not self.target.wide) else UNPACKED_TILES

    def _prefetch(self) -> None:
        """Asks for the rows of the next tile, where they come from an array that may be too large for the second-level cache."""
        for array, over in dict.fromkeys((stream.array, stream.loop.var) for stream in streams(self.nest)):
            kind = self.nest.arrays[array]
            if isinstance(kind.size, Dim) or kind.size * kind.dtype.size > self.target.l2 // 2:
                self.nest = prefetch(self.nest, array, over)
                self.note(f"the rows of {array} for the next tile are asked for while this one is summed over {over}")

    def _approach(self) -> None:
        """Where panels lie one after the other: asks for the next one, and for what the next tile's epilogue meets."""
        sums = {loop.var: loop for loop, _ in tile_sums(self.nest.body)} if self.columns else {}
        self._turn_back(sums)
        for over, loop in sums.items():
            for array, kind in self.nest.arrays.items():
                again = array in self.nest.in_place  # what is read where it is stored has been asked for
                if not again and approachable(self.nest, array, over) and guess(kind.size, MANY) * kind.dtype.size > self.target.l2 // 4:
                    self.nest = approach(self.nest, array, over)
                    self.note(f"what the next tile's epilogue meets of {array} is asked for while this one is summed over {over}")
                if has_next_panel(self.nest, array, over) \
                        and self._read_by_a_tile(loop, lines(self.nest, loop, array)) > self.target.l1 * 3 // 4:
                    self.nest = next_panel(self.nest, array, over)
                    self.note(f"the next panel of {array} is asked for while tiles of this one are summed over {over}")

    def _turn_back(self, sums: Mapping[str, Loop]) -> None:
        """An update does its panels from the last to the first: these were read last, by the forward product, and those that it leaves in
        the cache are read next."""
        updated = {written for written, read in self.nest.in_place.items() if self.nest.arrays[read].rank > 2}
        shared = [loop for loop in inner_loops(self.nest.body) if loop.parallel and loop.extent != loop.step]
        alone = [loop.var for loop in shared] == list(self.columns) or (self.in_pieces and chain(self.nest.body)[:1] == shared[:1])
        if sums and updated and alone:
            self.nest = backwards(self.nest, shared[0].var)
            self.note(f"a thread does its panels along {shared[0].var} from the last to the first: it has read these last")

    def _behind(self) -> None:
        """Where tiles of a panel wait for a divider after their sums: the next tile is summed meanwhile."""
        sums = {loop.var for loop, _ in tile_sums(self.nest.body)} if self.columns else set()
        found = {(loop.var, over): waits_for_a_root(self.nest, loop, over, LAG) for loop in inner_loops(self.nest.body)
                 for over in sorted(sums) if any(divides(stmt_expr(s)) for s in statements(epilogue_behind(self.nest, loop, over)))}
        for (tiles, over), waits in found.items():
            self.nest = behind(self.nest, tiles, over, *([LAG] if waits else []))
            later = f", and divides {LAG} vectors after the root" if waits else ""
            self.note(f"the epilogue of a tile divides: each trip of the next sum over {over} takes a vector of it along{later}")

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
                    self.nest = foresee(self.nest, array, rows[0].var, 1)
                    self.note(f"what {array} holds that is new 1 of {rows[0].var} later is asked for")
            return
        around = sums[:1] if long else common
        trips = max(1, NEXT // sums[0].step) if long else 1
        for array in dict.fromkeys(a.array for a in accesses(self.nest, body) if not a.store):
            kind = self.nest.arrays.get(array)
            loop = next((x for x in around if foreseeable(self.nest, array, x.var, trips)), None)
            if loop and kind and isinstance(kind.size, Dim):
                self.nest = foresee(self.nest, array, loop.var, trips)
                self.note(f"what {array} holds that is new {trips} of {loop.var} later is asked for")
        for array in dict.fromkeys(a.array for a in accesses(self.nest, body) if a.store and not long):
            kind = self.nest.arrays.get(array)
            far = [(x, n) for x in common if kind and (n := self._moved(array, x) * kind.dtype.size) >= STORED // 4]
            trips = -(-STORED // far[-1][1]) if far else 0
            if far and kind and isinstance(kind.size, Dim) and foreseeable(self.nest, array, far[-1][0].var, trips):
                self.nest = foresee(self.nest, array, far[-1][0].var, trips)
                self.note(f"where {array} is stored to {trips} of {far[-1][0].var} later is asked for")

    def _moved(self, array: str, loop: Loop) -> int:
        """By how many elements a trip of a loop moves what is stored, if that is known."""
        n = next(a for a in accesses(self.nest, (loop,)) if a.store and a.array == array).coefficient(loop.back or loop.var)
        return n * loop.step if isinstance(n, int) else 0

    def _several(self) -> None:
        """Writes out several terms of a tile's sum in each trip, where scalar instructions take places of products (see TRIP)."""
        if self.nest.still or not (self.target.wide or self._plain_tile()):
            return
        largest: dict[str, tuple[int, Loop]] = {}
        for loop, vectors in tile_sums(self.nest.body):
            if vectors > largest.get(loop.var, (0, loop))[0]:
                largest[loop.var] = vectors, loop
        for over, (vectors, loop) in largest.items():
            extent = static(loop.extent) or 0
            most = min(MOST_TERMS, WRITTEN_OUT // vectors, extent // 2)
            counts = [n for n in range(2, most + 1) if can_have_several(loop, n)]
            if not self.target.wide:
                samples = any(isinstance(self._size(array), Dim) for array, _ in self._led(loop, vectors))
                counts = [n for n in counts if not samples and not shared_by_terms(loop, n)]
            counts = [n for n in counts if vectors + kept_for_terms(loop, n) < self.target.registers]
            if self.target.wide and not self.apart and self._few_terms(loop, extent, vectors):
                counts = [extent]
            if vectors < LEAST_SUMS or not counts:
                continue
            count = min(counts, key=lambda n: (extent % n, -n))  # terms that are left are code, too
            self.nest = several(self.nest, over, count)
            self.note(f"{count} terms of the sum over {over} are added in each trip" if count < extent else
                      f"all {count} terms of the sum over {over} are written out: they are few")

    def _few_terms(self, loop: Loop, extent: int, vectors: int) -> bool:
        """Whether all terms of a sum are written out, as a row of a small image has: no trip is counted, and none is left."""
        return MOST_TERMS <= extent <= FEW_TERMS and extent * vectors <= ALL_WRITTEN_OUT and can_have_several(loop, extent) \
            and not shared_by_terms(loop, extent)

    def _plain_tile(self) -> bool:
        """Whether 16 registers hold what several terms need: vectors of 32 bytes, all whole, nothing turned, no window."""
        turned = any(isinstance(s, Transpose) for s in statements(self.nest.body))
        masked = any(loop.mode == VECTOR and loop.clip for loop in inner_loops(self.nest.body))
        return self.target.vector_bytes == 32 and not (self.apart or self.taps or turned or masked)

    def _meanwhile(self) -> None:
        """Asks for what the next block of a long sum reads, while this one is summed in loops of known length."""
        for blocks in [loop for loop in self.nest.body if isinstance(loop, Loop) and loop.var.endswith(".o.b")]:
            over = blocks.var.removesuffix(".b")
            if any(True for _ in trickling(blocks, over)):
                self.nest = meanwhile(self.nest, over)
                self.note(f"what the next block of {over} reads is asked for while this one is summed, line by line")

    def _opposite(self) -> None:
        """Lets cores that go through the blocks of a long sum do so towards each other."""
        cut = [step[step.index("(") + 1:-1].split(", ")[0] for step in self.nest.steps if step.startswith("block(")]
        for over in cut:
            if not why_not_opposite(self.nest, over):
                self.nest = opposite(self.nest, over)
                self.note(f"half of the cores begin with the second half of {over}: two never ask for the same lines at once")

    def _lead(self) -> None:
        """Asks for the lines of a long sum some trips ahead, where those of a tile do not stay in the first-level cache."""
        if self.apart:
            return  # windows: see above
        wanted: dict[tuple[str, str], int] = {}
        for loop, vectors in tile_sums(self.nest.body):
            for array, found in self._led(loop, vectors):
                if loop.step > 1 and not self.nest.still and (self.taps or not self._read_once(loop, array, found)):
                    continue  # a load of each of several terms steps so far that the processor asks a near cache in time
                trips = min(-(-2 * CYCLES // vectors), self._held(loop, array, found))
                wanted[array, loop.var] = min(wanted.get((array, loop.var), CYCLES), trips)  # of whole tiles
        for (array, over), trips in wanted.items():
            self.nest = lead(self.nest, array, over, trips, *(["ends"] if self.columns else []))
            self.note(f"of {array} what the sum over {over} takes {trips} trips later is asked for")

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

    def _size(self, array: str) -> DimLike:
        """Elements of an array, or of private memory."""
        return self.nest.arrays[array].size if array in self.nest.arrays else self.nest.scratch[array][1]

    def _held(self, loop: Loop, array: str, found: list[Aff]) -> int:
        """Trips of a sum of which the first-level cache holds the lines of an array beside what else it has: those that lie a power of two
        apart push each other out before they are read."""
        apart = found[0].coefficient(loop.var)
        size = self.nest.dtype_of(array).size * loop.step
        return max(1, room_for(apart * size, self.target) * 2 // 3) if isinstance(apart, int) else CYCLES

    def _expect(self) -> None:
        """Asks for what epilogues read of the samples of a batch, which may come from memory, and then for what they write."""
        found = [e for e in expected(self.nest) if e.added >= WHILE and e.array in self.nest.arrays
                 and isinstance(self.nest.arrays[e.array].size, Dim)]
        read = [e for e in found if not e.stored]
        for array in dict.fromkeys(e.array for e in read):
            self.nest = expect(self.nest, array)
            self.note(f"what a tile's epilogue reads of {array} is asked for while the tile sums")
        after = 2 * max((e.trips for e in read), default=0)  # what comes first would else wait for what comes last
        for array in dict.fromkeys(e.array for e in found if self._stores_far(e)):
            latest = min(guess(e.over.extent) // e.over.step - e.trips for e in found if e.array == array)
            first = max(0, min(latest, after))
            self.nest = expect(self.nest, array, *([first] if first else []))
            self.note(f"where it stores {array} is asked for meanwhile, too")

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

    def _read_by_a_tile(self, over: Loop, found: list[Aff]) -> int:
        """Bytes of the lines that a tile reads while it sums. What one trip of an outer loop reads where another did, as the taps of an
        image's rows do, counts once."""
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


def _sums(block: Acc, row: str) -> int:
    """Registers of sums for each row of a tile."""
    return math.prod(d.extent for d in block.dims if d.var != row and not d.vector)
