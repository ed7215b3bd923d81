"""Products of two operands that lie in rows far apart, as a dense layer's weight gradient: both are packed, for blocks of the result."""

from __future__ import annotations

from itertools import count

from ..access import accesses, expr_cost, inner_loops, lanes_for, static
from ..column_pieces import both_far_apart
from ..epilogue import WRITTEN_OUT
from ..nest import Acc, Loop, Store
from ..packing import PART
from ..schedule import jam, reorder, repack, slide, tile, unroll, why_not_slide
from ..target import WAITING_BYTES
from ..tiles import NEAR, Room, cost
from .base import Scheduling

SHORT_SUM = 64  # terms, up to which no operand is packed: that would take longer
BLOCK_COLUMNS = 1024  # of a block at the most
BLOCKS = 2  # at least so many for each core
MOST_ROWS = 14  # of a tile of two vectors
LEAST = 8  # tiles along the rows, for which what the lanes take is packed


class Products(Scheduling):
    """Blocks of a product, which nothing follows but that it is stored."""

    def _product(self, common: list[Loop], vector: Loop) -> bool:
        """Whether the nest was such a product, and is scheduled."""
        if not self._is_product(common, vector):
            return False
        lanes, room = lanes_for(self.nest, self.target, vector.var), self._room(common)
        row = next(loop for loop in common if loop is not vector)
        height, width = static(row.extent) or 0, static(vector.extent) or 0
        columns = 2 * lanes
        panels = -(-width // columns)
        across = -(-width // BLOCK_COLUMNS)
        taken = columns * -(-panels // across)
        waiting = min(WAITING_BYTES, self.target.l2 // 2) // (4 * taken)
        rows, size = self._rows(height, waiting, across, room)
        if width < 2 * columns or height < LEAST * size or rows < LEAST * size or room.sums < 2 * size:
            return False
        lane = vector.var
        if across > 1:
            self.nest, lane = tile(self.nest, lane, taken), f"{lane}.i"
        self._cut(lane, columns, lanes)
        self.nest = unroll(tile(tile(self.nest, row.var, rows), f"{row.var}.i", size), f"{row.var}.i.i")
        blocks = [f"{vector.var}.o"] if across > 1 else []
        of_a_tile = [f"{row.var}.i.i", f"{lane}.i.u", f"{lane}.i.v"]
        self.nest = reorder(self.nest, *blocks, f"{row.var}.o", f"{lane}.o", f"{row.var}.i.o", *of_a_tile)
        for var in reversed(of_a_tile):
            self.nest = jam(self.nest, var)
        for var in (f"{row.var}.o", *blocks, f"{lane}.o"):
            if not why_not_slide(self.nest, var):
                self.nest = slide(self.nest, var)
        (sums,) = (loop.var for loop in inner_loops(common[-1].body))
        self.nest = repack(self.nest, sums, f"{lane}.o", PART, SHORT_SUM, "along")
        self.note(f"vectors along {vector.var}: {lanes} lanes, 2 side by side")
        self.note(f"{rows} x {taken} of the result at a time, {size} rows a tile")
        self.note(f"{PART} of {sums} at a time both operands are packed: for one term they lie far from those for the next")
        self.note("the first tile of a panel packs what the lanes take of it, and all tiles ask for the next panel")
        self.note(f"up to {SHORT_SUM} of {sums} are taken from where they lie: to pack them would take longer")
        return True

    def _is_product(self, common: list[Loop], vector: Loop) -> bool:
        body = common[-1].body
        others = [loop for loop in common if loop is not vector]
        if not self.target.wide or self.taps or self.edge or self.tile or len(others) != 1 or len(body) != 3:
            return False
        acc, over, store = body
        (row,) = others
        return isinstance(acc, Acc) and isinstance(over, Loop) and isinstance(store, Store) and over.plain and acc.dtype.size == 4 \
            and static(row.extent) is not None and static(vector.extent) is not None and static(over.extent) is None \
            and not any(a.depends_on(row.var) for a in accesses(self.nest, (store,)) if not a.store) \
            and expr_cost(store.expr) * 2 * MOST_ROWS <= WRITTEN_OUT \
            and not self.nest.in_place and both_far_apart(self.nest, common, row)

    def _rows(self, height: int, most: int, across: int, room: Room) -> tuple[int, int]:
        """Rows of a block and of a tile: few that are computed twice where the last block steps back, and no small tiles. As many blocks
        as cores divide."""
        cores = self.target.cores

        def choice(size: int) -> tuple[float, int, int]:
            blocks = next(n for n in count(max(1, -(-height // most))) if n * across % cores == 0 and n * across >= BLOCKS * cores)
            rows = size * -(-height // (blocks * size))
            return cost(2, size, NEAR, room) * -(-height // rows) * rows, rows, size
        _, rows, size = min(choice(size) for size in range(LEAST, MOST_ROWS + 1))
        return rows, size
