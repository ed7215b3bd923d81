"""Which steps for which kernel, and why. No op's name occurs here: only extents, coefficients and the target.

`plan` looks for a vector axis; with one among the common loops, rows are tiled beside it and everything between is
kept in registers; without one, the reduced axis itself is cut into lanes. Every decision leaves a note.
"""

from __future__ import annotations

from ..access import Access, accesses, body_cost, chain, divisor, has_accumulators, indirect, inner_loops, lanes_for, static, useful_lanes
from ..blocking import settle_blocks
from ..nest import Loop, Nest
from ..packing import find_turned, store_columns
from ..schedule import collapse, parallel
from ..schedule.loops import can_collapse
from ..target import Target
from ..tiles import Tile, wasted
from ..windows import find_edge, find_taps, taps_tile
from .crossed import find_slid
from .directions import Directions
from .maps import Maps
from .products import Products
from .requests import Requests
from .rows import Rows
from .sums import Sums
from .sweeps import Sweeps
from .tails import Tails
from .turned import TurnedPanels

MIN_TRIP_COST = 2000  # a trip of a shared loop should cost at least this many vector instructions: to find its place takes some fifty
ENOUGH_TRIPS = 16  # of a batch of one, so that shares are equal; while there are fewer, a trip may cost
SMALL_TRIP_COST = 500  # no more than this


def plan(nest: Nest, target: Target, tile: Tile | None = None) -> Nest:
    """The scheduled nest. Depends on the nest's extents and the target alone, never on threads or the batch size.

    `tile`: one of `tile_choices`, in place of the one that the cost model takes."""
    return _Planner(nest, target, tile).run()


def tile_choices(nest: Nest, target: Target) -> list[Tile]:
    """The register tiles that a nest may have, the one that `plan` takes first; none where that is not the question."""
    planner = _Planner(nest, target)
    planner.run()
    return planner.choices


class _Planner(Maps, Products, TurnedPanels, Rows, Sweeps, Tails, Sums, Directions, Requests):
    """All strategies on one nest."""

    def _arrange(self) -> None:
        """Which axis takes the lanes, and the tiles beside it: one route after the other, until one suits."""
        self.taps = find_taps(self.nest, chain(self.nest.body), self.target)
        self.slid = find_slid(self.nest, chain(self.nest.body)) if self.target.vector_bytes else None
        self._settle_taps()
        self._collapse_all()
        common = chain(self.nest.body)
        reduces = has_accumulators(self.nest.body)
        body = common[-1].body if common else self.nest.body
        inner = {loop.var for loop in inner_loops(body)}
        vector = self._vector_axis(common, exact=reduces)
        if self.target.vector_bytes == 0:
            self.note("the target has no vectors: plain loops")
            self._trim_all()
        elif vector is not None and (inner or reduces):
            self.edge = find_edge(self.nest, common, self.taps, self._room(common))
            if self.edge and not self.taps and self.edge[0] not in {loop.var for loop in self._row_axes(common, vector, body)}:
                self.edge = None  # no tile has rows of it: its guards would stay in the sums
            self._trim_all(vector.var)
            common = chain(self.nest.body)
            vector = next(loop for loop in common if loop.var == vector.var)
            if not self._turned_sums(common, vector) and not self._product(common, vector):
                self._panels(common, vector)
        elif vector is not None:
            self._map(common, vector)
        elif reduces and self._crossed(few=True):
            self.note("columns are few: with the sum as lanes none is dead, and nothing is packed")
        elif reduces and (vector := self._inward_lanes(common)) is not None:
            self._panels(common, vector)
        elif reduces and (turned := find_turned(self.nest, common, self.target)) is not None:
            self._turned_panels(common, turned)
        elif inner:
            self._row(inner)
        else:
            self.note("no axis suits vectors: one element at a time")

    def run(self) -> Nest:
        """The lanes and tiles first; then each step on what those before have made of it."""
        self._arrange()
        self._sweep()
        self._share()
        self._pack_whole()
        self._terms_side_by_side()
        self._edges()
        self.nest = settle_blocks(self.nest, self.target)
        self._last_rows()
        self._whole_tiles()
        self._unpacked()
        self._prefetch()
        self._turn_back()
        self._by_panels()
        self._approach()
        self._behind()
        self._foresee()
        self._stream()
        self._several()
        self._meanwhile()
        self._lead()
        self._oncoming()
        self._upcoming()
        self._expect()
        self._across()
        self._keep()
        self._opposite()
        self._errands()
        self._unasked()
        return self.nest

    def _collapse_all(self) -> None:
        """Makes neighbouring loops one wherever every index allows it: fewer loops, longer vectors."""
        apart = {self.taps.row, self.taps.over} if self.taps else set(self.slid or ())
        while True:
            pair = next(((outer.var, outer.body[0].var) for outer in inner_loops(self.nest.body)
                         if len(outer.body) == 1 and isinstance(outer.body[0], Loop) and not apart & {outer.var, outer.body[0].var}
                         and can_collapse(self.nest, outer.var, outer.body[0].var)), None)
            if pair is None:
                return
            self.nest = collapse(self.nest, *pair)

    def _settle_taps(self) -> None:
        """Taps are written out only where that costs less than several terms of the sum side by side, with fewer dead lanes."""
        if not self.taps:
            return
        given, taps, self.taps = self.nest, self.taps, None
        self._collapse_all()
        common = chain(self.nest.body)
        vector = self._vector_axis(common, exact=True)
        rows = self._row_axes(common, vector, common[-1].body) if vector else []
        if vector and rows:
            room, lanes = self._room(common), useful_lanes(self.nest, self.target, vector)
            slid = next(loop for loop in chain(given.body) if loop.var == taps.row)
            terms = self._terms_priced(common, vector, rows, room, lanes)
            if terms and terms[0] < wasted(vector.extent, lanes) * taps_tile(taps, {slid.var: slid.extent}, room)[0]:
                return
        self.nest, self.taps = given, taps

    def _vector_axis(self, common: list[Loop], exact: bool) -> Loop | None:
        """The common loop along which memory is contiguous, or else, in a map, the one that costs least: a gather costs a
        lane each, a store that can be transposed in registers about three vectors."""
        best, best_cost = None, 0.0
        found = accesses(self.nest, common[-1].body) if common else []
        stores = [a for a in found if a.store]
        for loop in reversed(common):
            if any(a.coefficient(loop.var) == 0 for a in stores):
                continue
            strided = [a for a in found if a.coefficient(loop.var) not in (0, 1) or indirect(a, self.nest, loop.var)]
            if exact and strided:
                continue
            lanes = lanes_for(self.nest, self.target, loop.var)
            extent = static(loop.extent)
            used = 1.0 if extent is None else extent / (-(-extent // lanes) * lanes)
            turned = store_columns(self.nest, common, loop) is not None

            def price(a: Access) -> float:
                if a.coefficient(loop.var) == 0 and a not in strided:
                    return 0.2
                return 1 if a not in strided else 3 if a.store and turned else lanes

            cost = sum(price(a) for a in found) / used
            if best is None or cost < best_cost:
                best, best_cost = loop, cost
        return best

    def _share(self) -> None:
        """Marks outer loops as shared by threads, from the outermost, while a trip stays worth its overhead."""
        if any(loop.parallel for loop in inner_loops(self.nest.body)):
            return
        common = chain(self.nest.body)
        shared: list[str] = []
        ordered = self._ordered()
        trips = 1
        for loop in common:
            trip = body_cost(loop.body)
            if loop.var in ordered or (self.columns and loop.clip) or (shared and self.together):
                break
            if shared and trip < (MIN_TRIP_COST if trips >= ENOUGH_TRIPS else SMALL_TRIP_COST):
                break
            shared.append(loop.var)
            trips *= -(-divisor(loop.extent) // loop.step)
        for var in shared:
            self.nest = parallel(self.nest, var)
        self.note(f"threads share {' x '.join(shared)}" if shared else "no loop can be shared: one thread")
