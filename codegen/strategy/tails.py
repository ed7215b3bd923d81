"""The last steps of a schedule: tiles that are not full step back, have code of their own or are done row by row; the rows of the next
tile are asked for."""

from __future__ import annotations

from ...ir.types import Dim
from ..access import inner_loops
from ..nest import UNROLL
from ..schedule import prefetch, short, singly, slide, why_not_short, why_not_singly, why_not_slide
from ..schedule.prefetch import streams
from ..tiles import worth_a_short_tile
from .base import Scheduling


class Tails(Scheduling):
    """Nothing after these steps cuts a loop."""

    def _last_rows(self) -> None:
        """The rows of a last tile that is not full: fewer, or along an axis of unknown length one by one."""
        for loop in [x for x in inner_loops(self.nest.body) if x.mode == UNROLL and x.clip and isinstance(x.clip.extent, int)]:
            assert loop.clip
            if not why_not_short(self.nest, loop.var) and worth_a_short_tile(loop.clip.extent, int(str(loop.extent))):
                self.nest = short(self.nest, loop.var)
                self.note(f"the last tile of {loop.var} has the rows that are left, and code of its own")
        for var in dict.fromkeys(loop.var for loop in inner_loops(self.nest.body) if loop.mode == UNROLL and loop.clip):
            if not why_not_singly(self.nest, var):
                self.nest = singly(self.nest, var)
                self.note(f"whole tiles of {var} are told from the last one, whose rows are done one by one")

    def _whole_tiles(self) -> None:
        """Last tiles that are not full step back where that does no harm: then no tile is masked or clamped."""
        packed = {f"{var}.o": f"{var}.q" for _, var, _ in self.whole}
        for var in dict.fromkeys(loop.var for loop in inner_loops(self.nest.body) if loop.mode == UNROLL or loop.step > 1):
            tiles = (var, packed[var]) if var in packed else (var,)
            if not why_not_slide(self.nest, *tiles):
                self.nest = slide(self.nest, *tiles)
                what = "vector" if var.endswith(".u") else "tile"
                self.note(f"the last {what} of {var} steps back and is a whole one: nothing is masked")

    def _prefetch(self) -> None:
        """Asks for the rows of the next tile, where they come from an array that may be too large for the second-level cache."""
        for array, over in dict.fromkeys((stream.array, stream.loop.var) for stream in streams(self.nest)):
            kind = self.nest.arrays[array]
            if isinstance(kind.size, Dim) or kind.size * kind.dtype.size > self.target.l2 // 2:
                self.nest = prefetch(self.nest, array, over)
                self.note(f"the rows of {array} for the next tile are asked for while this one is summed over {over}")
