"""What a trip of a tile's sum does: one term or several, and a piece of what the tile before has left to do."""

from __future__ import annotations

from ...ir.types import Dim
from ..access import inner_loops, static
from ..nest import VECTOR, Loop, statements, stmt_expr
from ..schedule import abreast, behind, can_have_several, several, stream, too_many_vectors
from ..schedule.behind import epilogue_behind, waits_for_a_root
from ..schedule.lead import tile_sums
from ..schedule.several import asks
from ..schedule.stages import divides
from ..terms_in_common import kept_for_terms, shared_by_terms
from .lines import LEAST_SUMS, Lines

LAG = 2  # vectors between a root and the division that waits for it
MOST_TERMS = 4  # of a sum that a trip adds
WRITTEN_OUT = 64  # products at most that they are
ALL_WRITTEN_OUT = 168  # the same, of few terms that are all there are: FEW_TERMS of 24 sums
FEW_TERMS = 7


class Sums(Lines):
    """Steps that leave the tiles as they are and change what the loops that sum do in a trip."""

    def _terms_side_by_side(self) -> None:
        """Lanes take terms side by side, once the operand that lies along them is packed."""
        if self.abreast:
            terms, ways = self.abreast
            over, vectors = terms.over[-1], max(vectors for _, vectors in tile_sums(self.nest.body))
            counts = [n for n in range(1, WRITTEN_OUT // vectors + 1) if terms.count >= 2 * n * ways and (n == 1 or not self.nest.still)]
            count = min(counts[:MOST_TERMS], key=lambda n: (terms.count % (n * ways) // ways, -n), default=1)
            self.nest = abreast(self.nest, terms.array, over, ways, count)
            self.note(f"{terms.array} is packed so, {ways} terms of each column side by side; {count * ways} terms are added in each trip")

    def _stream(self) -> None:
        """Of tiles whose vectors do not fit beside their sums the rows are held."""
        for units in too_many_vectors(self.nest, self.target.registers):
            self.nest = stream(self.nest, units)
            self.note(f"rows are held, and the vectors that {units} counts pass by one at a time: there is no room for all of them")

    def _several(self) -> None:
        """Writes out several terms of a tile's sum in each trip, where scalar instructions take places of products (see TRIP)."""
        if self.nest.still or not (self.target.wide or self._plain_tile()):
            return
        largest: dict[str, tuple[int, Loop]] = {}
        for loop, vectors in tile_sums(self.nest.body):
            if vectors > largest.get(loop.var, (0, loop))[0]:
                largest[loop.var] = vectors, loop
        for over, (vectors, loop) in largest.items():
            if self.target.wide and asks(loop):
                continue
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
        """Whether 16 registers hold what several terms need: vectors of 32 bytes, all whole, no window."""
        masked = any(loop.mode == VECTOR and loop.clip for loop in inner_loops(self.nest.body))
        return self.target.vector_bytes == 32 and not (self.apart or self.taps or masked)

    def _behind(self) -> None:
        """Where tiles of a panel wait for a divider after their sums: the next tile is summed meanwhile."""
        sums = {loop.var for loop, _ in tile_sums(self.nest.body)} if self.columns else set()
        found = {(loop.var, over): waits_for_a_root(self.nest, loop, over, LAG) for loop in inner_loops(self.nest.body)
                 for over in sorted(sums) if any(divides(stmt_expr(s)) for s in statements(epilogue_behind(self.nest, loop, over)))}
        for (tiles, over), waits in found.items():
            self.nest = behind(self.nest, tiles, over, *([LAG] if waits else []))
            later = f", and divides {LAG} vectors after the root" if waits else ""
            self.note(f"the epilogue of a tile divides: each trip of the next sum over {over} takes a vector of it along{later}")
