"""Tiles that are not full: the last one steps back, or its rows are done one by one."""

from __future__ import annotations

from ..access import inner_loops
from ..nest import UNROLL
from ..schedule import singly, slide, why_not_singly, why_not_slide
from .base import Scheduling


class Tails(Scheduling):
    """The last step of a schedule: nothing after it cuts a loop."""

    def _last_rows(self) -> None:
        """Along an axis of unknown length, the rows of a last tile that is not full are done one by one."""
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
