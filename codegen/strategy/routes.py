"""The way through the tiles of panels: rows or panels outermost, rows block by block, strips; and which operands are packed on it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from kcompile.common.struct import struct

from ..access import Access, accesses, divisor, guess, inner_loops, static
from ..nest import Loop, Stmt
from ..packing import PACKED_BYTES, far_rows
from ..row_blocks import RowBlocks, Traffic, row_blocks
from ..schedule.chunk import operands
from ..strips import is_bare, strip_rows
from ..target import LINE
from .base import Scheduling, Shape

MANY_ROWS = 64  # rows at the least for which each thread packs all of an operand
Packed = tuple[str, tuple[str, ...]]  # an operand, and the loops over which its panel is summed


@struct(frozen=True)
class Route:
    """The way through the tiles. `packed`: operands that are packed for each panel; `strip`: rows of the strips in which the epilogue
    runs, 0 for tile by tile; `outermost`: panels come before rows; `blocked`: but for so many rows at a time."""

    packed: tuple[Packed, ...] = ()
    strip: int = 0
    outermost: bool = False
    blocked: RowBlocks | None = None


class Routes(Scheduling):
    """Where operands are read from, for all tiles together."""

    def _route(self, common: list[Loop], vector: Loop, shape: Shape) -> Route:
        """How the tiles are gone through, and which operands are packed on the way."""
        if shape.window or shape.columns:
            return Route(outermost=bool(shape.columns))
        if shape.terms:
            self.whole = [(shape.terms.array, vector.var, shape.terms.over)]
            self.kept = [shape.terms.array] if shape.terms.array in self.nest.still else []
            return Route()
        body = common[-1].body
        if self.inward:
            return Route(((self.inward, tuple(loop.var for loop in inner_loops(body))),), outermost=True)
        packed = tuple(far_rows(self.nest, common, body, vector, shape.width, self.target))
        if strip := self._strip(common, vector, shape.rows, shape.tiles, shape.width, bool(packed)):
            return Route(strip=strip)
        blocked = self._row_blocks(common, vector, shape.tiles, shape.width)
        outermost = self._panels_first(body, vector, shape.rows, packed, common, blocked)
        if packed and not self.whole:
            blocked = None  # a panel that is packed just before its rows is packed once
        return Route(packed, 0, outermost, blocked)

    def _strip(self, common: list[Loop], vector: Loop, rows: Sequence[Loop], tiles: Mapping[str, int], columns: int, packs: bool) -> int:
        """Rows of the strips in which the epilogue is to run; 0 for tile by tile, as where the panels can be packed in another way."""
        if len(rows) != 1 or tiles.get(rows[0].var, 1) == 1:
            return 0
        sums = list(inner_loops(common[-1].body))
        needed = packs or is_bare(self.nest, common[-1].body)
        if needed and not (len(sums) == 1 and operands((sums[0],), rows[0].var, vector.var, sums[0].var)):
            return 0
        return strip_rows(self.nest, self.target, common, vector, rows[0], (tiles[rows[0].var], columns)) or 0

    def _row_blocks(self, common: list[Loop], vector: Loop, tiles: Mapping[str, int], width: int) -> RowBlocks | None:
        """Rows block by block before the panels, where that reads less: see row_blocks."""
        body = common[-1].body
        inside = tuple(s for s in body if isinstance(s, Loop))
        size = self._panel_bytes(body, vector)
        shared = {a.array for a in accesses(self.nest, inside) if not a.store and not a.depends_on(vector.var)}
        streamed = sum(guess(self.nest.arrays[a].size, 1) * self.nest.arrays[a].dtype.size for a in shared if a in self.nest.arrays)
        extent = static(vector.extent)
        if extent is None or size <= self.target.l2 // 4:  # all panels stay in the cache: rows are outermost anyway
            return None
        others = {loop.var: loop.extent for loop in common if loop.var != vector.var}
        return row_blocks(others, tiles, Traffic(size, streamed, -(-extent // width)), self.target)

    def _matrices_first(self, common: list[Loop], vector: Loop, others: list[str]) -> list[str]:
        """The loops around in order: where each trip of one has a matrix of its own, and all of these are more than the second-level cache
        holds and than what the rows of a sample read, all rows take one matrix before the next. Else all matrices come from far away
        for each row."""
        inside = tuple(s for s in common[-1].body if isinstance(s, Loop))
        loads = [a for a in accesses(self.nest, inside) if not a.store]
        panels, shared = [[a for a in loads if a.depends_on(vector.var) == along] for along in (True, False)]
        own = [loop for loop in common if loop.var in others and static(loop.extent) and all(a.depends_on(loop.var) for a in panels)]
        rest = [loop for loop in common if loop.var in others and not any(a.depends_on(loop.var) for a in panels)]
        size = self._panel_bytes(common[-1].body, vector) * math.prod(static(loop.extent) or 1 for loop in own)
        read = sum(guess(self.nest.arrays[name].size, 1) * self.nest.arrays[name].dtype.size
                   for name in {a.array for a in shared} if name in self.nest.arrays)
        if not own or not rest or len(own) + len(rest) < len(others) or size <= max(self.target.l2 // 2, read):
            return others
        self.note(f"a trip of {', '.join(loop.var for loop in own)} has a matrix of its own ({size >> 10} KB in all): all rows take one "
                  "before the next")
        return [loop.var for loop in (*own, *rest)]

    def _groups_first(self, common: list[Loop], vector: Loop, others: list[str]) -> list[str]:
        """The loops around in order: where each trip of one has a small matrix of its own, which the first-level cache would hold but for
        those of the others, all rows of an image that share what they read take one matrix before the next. Where trips read parts of the
        same lines each would be fetched more often, and with vectors of 32 bytes nothing is gained."""
        inside = tuple(s for s in common[-1].body if isinstance(s, Loop))
        loads, sums = [a for a in accesses(self.nest, inside) if not a.store], list(inner_loops(inside))
        panels, shared = [[a for a in loads if a.depends_on(vector.var) == along] for along in (True, False)]
        loops = [loop for loop in common if loop.var in others]
        own = [loop for loop in loops if static(loop.extent) and panels and all(a.depends_on(loop.var) for a in panels)]
        rows = [loop for loop in loops if not any(a.depends_on(loop.var) for a in panels) and any(_slides(a, loop, sums) for a in shared)]
        one, near = self._panel_bytes(common[-1].body, vector), self.target.l1 // 2
        together = one * math.prod(static(loop.extent) or 1 for loop in own)
        arrays = [self.nest.arrays[name] for name in {a.array for a in shared} if name in self.nest.arrays]
        image = sum(divisor(kind.size) * kind.dtype.size for kind in arrays)
        apart = all(isinstance(n := a.coefficient(loop.var), int) and n > 0 == n * a.dtype.size % LINE for a in shared for loop in own)
        if not self.target.wide or not own or not rows or not apart or not one <= near < together or image > self.target.l2 // 2:
            return others
        before, after = [loop.var for loop in own], [loop.var for loop in rows]
        self.note(f"a trip of {', '.join(before)} has a matrix of its own ({one >> 10} KB of {together >> 10}): all of {', '.join(after)} "
                  "take one before the next, while it is in the first-level cache")
        return [*(var for var in others if var not in (*before, *after)), *before, *after]

    def _panels_first(self, body: tuple[Stmt, ...], vector: Loop, rows: Sequence[Loop], packed: Sequence[Packed],
                      common: list[Loop], blocked: RowBlocks | None) -> bool:
        """Whether panels are the outermost loop. Where an operand is packed they are, each being packed once, unless there are many
        rows and all of the operand may stay packed in the cache."""
        streams = self._streams(body, vector, rows)
        many = math.prod(divisor(loop.extent) for loop in common if loop.var != vector.var) >= MANY_ROWS
        if packed and all(array in self.nest.still for array, _ in packed):
            self.whole = [(array, vector.var, over) for array, over in packed]
            self.kept = [array for array, _ in packed]
            return streams
        small = not streams or (blocked is not None and self._panel_bytes(body, vector) <= PACKED_BYTES)
        if packed and many and small and all(len(over) == 1 for _, over in packed):
            self.whole = [(array, vector.var, over) for array, over in packed]
            return streams
        return streams or bool(packed)

    def _streams(self, body: tuple[Stmt, ...], vector: Loop, rows: Sequence[Loop]) -> bool:
        """Whether panels are the outermost loop: where what all panels read is too large to stay in the cache, one panel of it
        does; else results are written row by row, which memory likes better."""
        if not rows:
            return False
        size = self._panel_bytes(body, vector)
        large = size > self.target.l2 // 4
        self.note(f"what the panels read ({size >> 10} KB) {'exceeds' if large else 'fits'} a quarter of the second-level cache: "
                  f"{'panels' if large else 'rows'} outermost")
        return large

    def _panel_bytes(self, body: tuple[Stmt, ...], vector: Loop) -> int:
        """What all panels read together."""
        inside = tuple(s for s in body if isinstance(s, Loop))
        extents = {loop.var: guess(loop.extent) for loop in (*inner_loops(inside), vector)}
        return sum(a.dtype.size * math.prod(n for var, n in extents.items() if a.depends_on(var))
                   for a in accesses(self.nest, inside) if a.depends_on(vector.var))


def _slides(access: Access, loop: Loop, sums: Sequence[Loop]) -> bool:
    """Whether what is read in one trip of a loop is partly what the one before has read."""
    n, moves = access.coefficient(loop.var), [(access.coefficient(over.var), guess(over.extent)) for over in sums]
    return isinstance(n, int) and n > 0 and any(isinstance(m, int) and m * count > n for m, count in moves)
