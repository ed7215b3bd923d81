"""Turned panels: lanes along an axis of large stride, operands packed if they are not contiguous along it, results transposed."""

from __future__ import annotations

import math

from kcompile.common.struct import replace

from ...ir.types import Dim, DimLike
from ..access import accesses, divisor, guess, inner_loops, static, useful_lanes
from ..conflicts import crowded
from ..epilogue import is_dear, turned_epilogue
from ..nest import Loop
from ..packing import PACKED_BYTES, Turned, find_turned
from ..schedule import jam, pack, parallel, reorder, tile, transpose, unroll
from ..tiles import MOST_VECTORS, NEAR, SPLIT, Tile, best_tiles, priced_tiles, wasted
from .panels import Panels

SHORT_SUM = 64  # trips up to which what a tile stores takes as long as its products
HEIGHTS = (4, 8, 16)  # columns of a tile: pieces of a line, which are turned in as few instructions as there are
SIX = 6  # where 16 registers hold the sums of no more beside two vectors: eight sums, those of four columns, just hide a latency
LONG_SUM = 256  # trips beside which it is nothing that what follows takes pieces of rows
TURNING = 12  # multiply-adds that it costs for each vector, with what is asked of an epilogue
WORTH_TURNING = 0.95  # of the time that a tile takes
ALIKE = 0.995  # of what vectors along the lanes cost: prices are rounded
# The same where those of 64 bytes do not fill their panels. No price, but what lies between two kernels that were measured: 100 to 100
# channels cost 1.005 by the model and take 0.91 to 0.96 of the time, 44 to 20 cost 1.008 and take 1.10 to 1.19. What the model leaves out
# is not known.
UNEVEN = 1.006


class TurnedPanels(Panels):
    """Tiles whose lanes are not the direction in which results lie in memory."""

    def _turned_sums(self, common: list[Loop], vector: Loop) -> bool:
        """Whether both operands of a sum are contiguous, each along an axis of its own, and so many fewer lanes are dead along that
        of the rows (40 filters are three vectors for 2.5, but 5 x 24 inputs eight for 7.5) that results are better turned; then the nest
        is scheduled."""
        whole = (static(vector.extent) or 0) % (2 * useful_lanes(self.nest, self.target, vector)) == 0
        turned = None if whole or self.taps or self.edge else find_turned(self.nest, common, self.target, packs=False)
        if turned is None:
            return False
        rows = {loop.var: loop.extent for loop in self._row_axes(common, vector, common[-1].body)}
        straight = self._priced(common, vector, rows)
        columns, trips = turned.columns, math.prod(guess(loop.extent) for loop in turned.over)
        other = [(price, tile) for price, tile in self._priced(common, turned.lanes, {columns.var: columns.extent}, narrow=True)
                 if trips >= LONG_SUM or tile.height == static(columns.extent)]
        beside = self._beside_lanes(common, turned) if trips >= LONG_SUM else None
        if taps := self._of_taps(common, turned, beside, other) if beside else []:
            other = taps
        else:
            beside = None
        saved = straight[0][0] - other[0][0] if straight and other else 0.0
        if saved * trips < TURNING or other[0][0] > WORTH_TURNING * straight[0][0]:
            return False
        if not beside and self._room(common).load:  # prices without loads tell which kind it is; of one kind tiles differ by these, too
            some = {tile for _, tile in other}
            priced = self._priced(common, turned.lanes, {columns.var: columns.extent}, narrow=True, loads=True)
            other = [(price, tile) for price, tile in priced if tile in some]
        self.narrow, self.choices = "" if beside else f"{turned.lanes.var}.i", [tile for _, tile in other]
        self._turned_tiles(common, turned, beside)
        return True

    def _beside_lanes(self, common: list[Loop], turned: Turned) -> Loop | None:
        """A short loop that moves what the lanes take and nothing else (the taps of a filter along y): a vector for each of its trips may
        stand where vectors along the lanes would, of which the last ones are dead."""
        inside = tuple(s for s in common[-1].body if isinstance(s, Loop))
        loads = [a for a in accesses(self.nest, inside) if not a.store]
        bounding = {var for loop in inner_loops(inside) if loop.where for var in loop.where.index.variables}

        def moves_lanes(loop: Loop) -> bool:
            return all((a.coefficient(loop.var) != 0) == (a.coefficient(turned.lanes.var) != 0) for a in loads) \
                and loop.var not in bounding and not any(loop.var in g.index.variables for a in loads for g in a.guards)
        others = [loop for loop in common if loop not in (turned.lanes, turned.columns)]
        return next((loop for loop in others if 1 < (static(loop.extent) or 1) <= MOST_VECTORS and moves_lanes(loop)), None)

    def _of_taps(self, common: list[Loop], turned: Turned, beside: Loop, others: list[tuple[float, Tile]]) -> list[tuple[float, Tile]]:
        """Tiles of a vector for each trip of a loop, by what they cost; none where vectors along the lanes, the `others`, cost less.

        The two kinds are compared as if each vector lay in two lines, and then tiles are taken as if none did: so their kernels were
        measured. With the first price for both, 8 of 285 filter gradients would have other tiles, with the second 14."""
        columns, taps = {turned.columns.var: turned.columns.extent}, static(beside.extent) or 1
        lanes = useful_lanes(self.nest, self.target, turned.lanes)
        dead = wasted(turned.lanes.extent, lanes)

        def of_taps(each: float) -> list[tuple[float, Tile]]:
            found = self._priced(common, turned.lanes, columns, each=each, taps=taps)
            return [(cost * dead, tile) for cost, tile in found if tile.vectors == taps]
        mine = of_taps(SPLIT)
        if not self.target.wide:  # else they have this price
            others = self._priced(common, turned.lanes, columns, narrow=True, each=SPLIT)
        uneven = (static(turned.lanes.extent) or 0) % (lanes * others[0][1].vectors) > 0
        worth = UNEVEN if uneven and self.target.wide else ALIKE
        return of_taps(NEAR) if mine and mine[0][0] < worth * others[0][0] else []

    def _priced(self, common: list[Loop], vector: Loop, rows: dict[str, DimLike],
                narrow: bool = False, each: float = 0.0, taps: int = 0, loads: bool = False) -> list[tuple[float, Tile]]:
        """Tiles by what they cost, where vectors are not packed; for one along the lanes as if they had as many as there are `taps`."""
        lanes, each = useful_lanes(self.nest, self.target, vector), each or (SPLIT if self.target.wide else NEAR)
        room = self._room(common)
        room = room if loads else replace(room, load=0.0)  # `each` counts the loads that lie in two lines
        return priced_tiles(lanes * taps or vector.extent, lanes, rows, room, each=each,
                            masked=bool(self.nest.in_place), back=is_dear(common[-1].body), narrow=narrow)

    def _inward_lanes(self, common: list[Loop]) -> Loop | None:
        """The lanes of a sum for each row, of which there are many (`x @ w.T`, the input gradient of a classifier, or of a pointwise
        convolution): the axis along which results lie side by side, if of the operand along it, which no row moves, panels can be turned.
        Else every tile of the results would be turned, which takes as long as the products of a short sum. Of a batch, whose rows may be
        few, the panels of a long one would take longer."""
        body = common[-1].body if common else ()
        sums = [s for s in body if isinstance(s, Loop)]
        if len(common) != 2 or len(sums) != 1 or not sums[0].plain:
            return None
        over, depth, stores = sums[0].var, static(sums[0].extent), [a for a in accesses(self.nest, body) if a.store]
        for loop, row in (common, common[::-1]):
            extent, loads = static(loop.extent) or 0, [a for a in accesses(self.nest, (sums[0],)) if a.depends_on(loop.var)]
            lanes = useful_lanes(self.nest, self.target, loop)
            if depth is not None and extent >= 4 * lanes and isinstance(row.extent, Dim) \
                    and (depth <= SHORT_SUM if divisor(row.extent) == 1 else 2 * lanes * depth * 4 <= PACKED_BYTES) \
                    and all(a.coefficient(loop.var) == 1 for a in stores) and len(loads) == 1 and loads[0].coefficient(over) == 1 \
                    and not loads[0].guards and not loads[0].depends_on(row.var) and loads[0].array not in self.nest.still:
                self.inward = loads[0].array
                return loop
        return None

    def _turned_panels(self, common: list[Loop], turned: Turned) -> None:
        vector, columns, room = turned.lanes.var, turned.columns.var, self._room(common)
        lanes = useful_lanes(self.nest, self.target, turned.lanes)
        short = math.prod(guess(loop.extent) for loop in turned.over) <= SHORT_SUM
        heights = HEIGHTS if short or self.target.registers >= 32 else (*HEIGHTS, SIX)
        self.choices = best_tiles(turned.lanes.extent, lanes, {columns: turned.columns.extent}, room, heights=heights)
        if short:
            self.choices.sort(key=lambda tile: self._crowded(common, vector, lanes * tile.vectors))
        self._turned_tiles(common, turned)

    def _turned_tiles(self, common: list[Loop], turned: Turned, beside: Loop | None = None) -> None:
        vector, columns, over = turned.lanes.var, turned.columns.var, [loop.var for loop in turned.over]
        lanes = useful_lanes(self.nest, self.target, turned.lanes)
        best = self._chosen()
        count, width = best.vectors, best.height
        self._cut(vector, lanes if beside else lanes * count, lanes)
        self.nest = unroll(tile(self.nest, columns, width), f"{columns}.i")
        if beside:
            self.nest = unroll(self.nest, beside.var)
        others = [x.var for x in common if x.var not in (vector, columns) and x is not beside]
        units = [beside.var] if beside else [f"{vector}.i.u"] if count > 1 else []
        self.nest = reorder(self.nest, *others, f"{vector}.o", f"{columns}.o", f"{columns}.i", *units, f"{vector}.i.v")
        for var in (f"{vector}.i.v", *units, f"{columns}.i"):
            self.nest = jam(self.nest, var)
        turned_nest = turned_epilogue(self.nest, f"{columns}.i", f"{vector}.i.v")
        self.nest = turned_nest or transpose(self.nest, f"{columns}.i", f"{vector}.i.v")
        for array in turned.packed:
            self.nest = pack(self.nest, array, vector, *over, lanes)
            self.note(f"{array} is packed for each panel, so that lanes along {vector} lie side by side")
        which = f"one for each of {beside.var}" if beside else f"{count} side by side"
        self.note(f"vectors along {vector}: {lanes} lanes, {which}; {width} columns of {columns}, stored transposed")
        if turned.packed and not others:
            self.nest = parallel(self.nest, f"{columns}.o")
            self.note(f"threads share {columns}.o; each packs for itself")

    def _crowded(self, common: list[Loop], vector: str, rows: int) -> bool:
        """Whether the rows that a tile stores a piece of are so many, and so far apart, that they push each other out of the first-level
        cache before the next tile goes on with their lines."""
        stores = [a for a in accesses(self.nest, common[-1].body) if a.store]
        return any(crowded(rows, a.coefficient(vector) * a.dtype.size, self.target) for a in stores)
