"""Last tiles, which are not full: they step back, have code of their own, or are done row by row."""

from __future__ import annotations

import math

from ..access import inner_loops
from ..nest import UNROLL, Acc, loops, statements
from ..schedule import (
    narrow,
    short,
    singly,
    slide,
    slide_sums,
    why_not_back,
    why_not_narrow,
    why_not_short,
    why_not_singly,
    why_not_slide,
    why_not_slide_sums,
)
from ..tiles import at_a_time, worth_a_short_tile
from .base import Scheduling

USUAL = 32  # rows of a batch


class Tails(Scheduling):
    """Nothing after these steps cuts a loop into tiles."""

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
        return at_a_time(int(str(loops(self.nest, var)[0].extent)), sums)

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


def _sums(block: Acc, row: str) -> int:
    """Registers of sums for each row of a tile."""
    return math.prod(d.extent for d in block.dims if d.var != row and not d.vector)
