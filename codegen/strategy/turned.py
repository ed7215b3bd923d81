"""Turned panels: lanes along an axis of large stride, operands packed, results transposed."""

from __future__ import annotations

from ..access import useful_lanes
from ..epilogue import turned_epilogue
from ..nest import Loop
from ..packing import Turned
from ..schedule import jam, pack, parallel, reorder, tile, transpose, unroll
from ..tiles import best_tiles
from .base import Scheduling


class TurnedPanels(Scheduling):
    """Tiles whose lanes are not the direction in which results lie in memory."""

    def _turned_panels(self, common: list[Loop], turned: Turned) -> None:
        vector, columns, over = turned.lanes.var, turned.columns.var, [loop.var for loop in turned.over]
        lanes = useful_lanes(self.nest, self.target, turned.lanes)
        room = self._room(common)
        self.choices = best_tiles(turned.lanes.extent, lanes, {columns: turned.columns.extent}, room, heights=(4, 8))
        best = self._chosen()
        count, width = best.vectors, best.height
        self._cut(vector, lanes * count, lanes)
        self.nest = unroll(tile(self.nest, columns, width), f"{columns}.i")
        others = [x.var for x in common if x.var not in (vector, columns)]
        units = [f"{vector}.i.u"] if count > 1 else []
        self.nest = reorder(self.nest, *others, f"{vector}.o", f"{columns}.o", *units, f"{columns}.i", f"{vector}.i.v")
        for var in (f"{vector}.i.v", f"{columns}.i", *units):
            self.nest = jam(self.nest, var)
        turned_nest = turned_epilogue(self.nest, f"{columns}.i", f"{vector}.i.v")
        self.nest = turned_nest or transpose(self.nest, f"{columns}.i", f"{vector}.i.v")
        for array in turned.packed:
            self.nest = pack(self.nest, array, vector, *over, lanes)
            self.note(f"{array} is packed for each panel, so that lanes along {vector} lie side by side")
        self.note(f"vectors along {vector}: {lanes} lanes, {count} side by side; {width} columns of {columns}, stored transposed")
        if not others:
            self.nest = parallel(self.nest, f"{columns}.o")
            self.note(f"threads share {columns}.o; each packs for itself")
