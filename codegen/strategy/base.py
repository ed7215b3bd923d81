"""What every strategy shares: the nest as it is being scheduled, notes, cuts and orders of loops."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field

from kcompile.common.struct import replace, struct

from ..access import chain, inner_loops, static
from ..nest import Acc, Loop, Nest, Stmt, Store, statements
from ..schedule import reorder, tile, trim, vectorize
from ..schedule.trim import bound
from ..target import Target
from ..terms_abreast import Terms
from ..tiles import LAST, LOAD, SHORT_TRIP, TRIP, Room, Tile
from ..windows import Window


@struct(frozen=True)
class Shape:
    """A register tile: `count` vectors of `lanes` side by side, beside so many rows (`tiles`) of each of the loops `rows`. `window`: what
    slides along the rows; `columns`: loops over panels that lie one after the other; `terms`: of which several are side by side in the
    lanes."""

    lanes: int
    count: int
    rows: tuple[Loop, ...]
    tiles: Mapping[str, int]
    window: Window | None = None
    columns: tuple[str, ...] = ()
    terms: Terms | None = None

    @property
    def width(self) -> int:
        return self.lanes * self.count

    @property
    def sums(self) -> int:
        return self.count * math.prod(self.tiles.values())


@struct(frozen=False)
class Scheduling:
    """A nest on its way, and the target; every decision is a step of the nest, with a note that says why."""

    nest: Nest
    target: Target
    tile: Tile | None = None
    choices: list[Tile] = field(default_factory=list)  # the best first
    taps: Window | None = None  # of a product of which one operand slides along the rows
    edge: tuple[str, str] | None = None  # rows and taps of a product: tiles at the border of an image have code of their own
    tiled: list[str] = field(default_factory=list)  # loops over the rows of a tile
    apart: bool = False  # the vectors of a sum: no row of a tile shares one with another, but by a window that slides
    swept: bool = False  # all tiles go through the rows of an image together
    columns: tuple[str, ...] = ()  # loops over panels that lie one after the other
    in_pieces: bool = False  # the panels of a core take pieces of the rows
    together: bool = False  # and what they read of a piece is packed for all of them
    whole: list[tuple[str, str, tuple[str, ...]]] = field(default_factory=list)  # operands packed whole: array, lanes along, summed over
    narrow: str = ""  # columns of which the last panel has the vectors that are left
    abreast: tuple[Terms, int] | None = None  # terms of a sum that are side by side in the lanes, and how many
    inward: str = ""  # an operand that is turned for each panel, where lanes lie side by side in the results alone
    kept: list[str] = field(default_factory=list)  # those of them whose panels are kept from call to call

    def note(self, text: str) -> None:
        self.nest = replace(self.nest, notes=(*self.nest.notes, text))

    def _cut(self, var: str, size: int, lanes: int) -> None:
        self.nest = vectorize(tile(self.nest, var, size), f"{var}.i", lanes)

    def _order(self, others: list[str], vector: str, count: int, rows: tuple[str, ...], outermost: bool = False, before: int = 0) -> None:
        """Puts the loops in order: shared ones, then the tile's rows, then its vectors. The loop over the vector's tiles, and before it
        those over panels (`columns`), come after the others, or where they are `outermost` after the first `before` of them."""
        outer = [f"{v}.o" if f"{v}.i" in rows else v for v in others if v not in rows]
        before = before if outermost else len(outer)
        inside = [*rows, *([f"{vector}.i.u"] if count > 1 else []), f"{vector}.i.v"]
        self.nest = reorder(self.nest, *outer[:before], *self.columns, f"{vector}.o", *outer[before:], *inside)

    def _trim_all(self, lanes: str = "") -> None:
        """Sums run over the terms that count: what reads past the border of an image is not computed. Only where no sum is to be cut into
        lanes: a loop with bounds of its own is not cut. Nor where the terms that count differ along the axis of the `lanes`, which are all
        in one trip: there the guard stays."""
        at_edge = self.edge[1] if self.edge else ""
        while var := next((loop.var for loop in inner_loops(self.nest.body) if loop.var != at_edge and (guard := bound(self.nest, loop))
                           and lanes not in guard.index.variables), None):
            self.nest = trim(self.nest, var)
            self.note(f"of {var} only the terms that are not 0 by a guard are summed")

    def _ordered(self) -> set[str]:
        """Loops that may add to one element several times: their trips keep their order, on one thread."""
        adding = [s for s in statements(self.nest.body) if isinstance(s, Store) and s.accumulate]
        return {loop.var for loop in chain(self.nest.body) if any(loop.var not in dict(s.index.terms) for s in adding)}

    def _chosen(self) -> Tile:
        """The tile that was asked for, or the best one."""
        if self.tile is None:
            return self.choices[0]
        if self.tile not in self.choices:
            raise ValueError(f"nest {self.nest.name}: no tile {self.tile}; there are {', '.join(map(str, self.choices))}")
        self.note(f"a tile of {self.tile}, which was measured; the cost model takes {self.choices[0]}")
        return self.tile

    def _room(self, common: list[Loop]) -> Room:
        """Registers for a tile."""
        registers, blocks = self.target.registers, max(1, self._blocks(common))
        trip, last = {64: (TRIP, LAST), 32: (SHORT_TRIP, 1.0)}.get(self.target.vector_bytes, (0.0, 1.0))
        last **= 2 if self._sums_a_batch(common[-1].body) else 1  # in blocks they are summed in two places
        load = LOAD if self.target.wide and self.target.multiply_adds > 1 else 0.0
        return Room(registers, (registers - 4) // blocks, blocks, trip, load, last)

    def _sums_a_batch(self, body: tuple[Stmt, ...]) -> bool:
        """Whether sums are of unknown length, as those over a batch."""
        return any(static(loop.extent) is None for loop in inner_loops(tuple(s for s in body if isinstance(s, Loop))))

    def _blocks(self, common: list[Loop]) -> int:
        """Accumulators that are alive at once: the most that one body declares."""
        bodies = [common[-1].body, *(loop.body for loop in inner_loops(common[-1].body))]
        return max(_simultaneous(b) for b in bodies)


def _simultaneous(body: tuple[Stmt, ...]) -> int:
    return sum(isinstance(s, Acc) for s in body)
