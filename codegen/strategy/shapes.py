"""The register tile of panels: which loops are its rows, how many of them, and how many vectors beside them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from functools import partial

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Guard
from ...ir.types import Dim
from ..access import Access, accesses, chain, divisor, guess, inner_loops, lanes_for, static, useful_lanes
from ..conflicts import crowd, crowded
from ..epilogue import is_dear
from ..nest import Loop, Stmt
from ..packing import PACKED_BYTES, far_rows
from ..strips import PAGE
from ..target import LINE, WAITING_BYTES
from ..terms_abreast import LEAST_ROWS, WAYS, WORTH, WORTH_MORE, Terms, find_terms
from ..tiles import AT_EASE, FAR, FEW, IN_FLIGHT, LINE_TAKES, NEAR, SPLIT, Borders, Room, Tile, best_tiles, priced_tiles
from ..windows import find_window, taps_tile, window_tile
from .base import Shape
from .routes import Packed, Routes

LIKELY = 5  # tiles that cost nearly the same
LINES_OF_ROWS = (4, 8, 16)  # rows of four bytes that are a line, or a part of one: no tile has parts of two
QUARTER = 4  # panels of a row at most, of which each is so wide that it may as well be read where it lies
COLUMN_VECTORS = 8  # vectors side by side in a reduction over columns


def _bounds(guard: Guard, row: str, over: str, tap: int) -> tuple[int, int]:
    """The first of the rows that have the term of a tap by that guard, and the one behind the last."""
    at = guard.index.substitute({over: Aff.of({}, tap)})
    step, start = int(str(at.coefficient(row))), int(str(at.const))
    first, behind = ((int(str(end)) - start + step - 1) // step for end in (guard.lo, guard.hi))
    return max(0, first), max(0, behind)


class Shapes(Routes):
    """Tiles by what they cost, and by what the way through them makes of it."""

    def _shape(self, common: list[Loop], vector: Loop) -> Shape:
        """The register tile: rows that share what the lanes read, and how many of them and of the vectors it has."""
        lanes = useful_lanes(self.nest, self.target, vector)
        room, body = self._room(common), common[-1].body
        rows = self._row_axes(common, vector, body)
        alone = find_window(self.nest, body, vector, rows, self.target)
        window = alone or self.taps
        inside = tuple(s for s in body if isinstance(s, Loop))
        self.apart = all(a.depends_on(vector.var) for a in accesses(self.nest, inside) if not a.store)
        self.columns = columns = () if window else self._columns(common, vector, rows)
        if window:
            slid = window.row  # moves fastest
            rows = [loop for loop in rows if loop.var != slid] + [loop for loop in common if loop.var == slid]
            best = window_tile(window, {loop.var: static(loop.extent) or 1 for loop in rows}, room) if alone else \
                taps_tile(window, {loop.var: loop.extent for loop in rows}, room)[1]
            return Shape(lanes, 1, tuple(rows), best.rows, window)
        if rows and not columns and (abreast := self._terms_abreast(common, vector, rows, room, lanes)):
            return abreast
        if rows:
            best = self._tile_of(common, vector, rows, room, lanes)
            return Shape(lanes, best.vectors, tuple(rows), best.rows, columns=columns)
        extent = static(vector.extent)
        available = 4 if extent is None else -(-extent // lanes)
        return Shape(lanes, min(COLUMN_VECTORS if self._blocks(common) else 4, available, room.sums), (), {})

    def _columns(self, common: list[Loop], vector: Loop, rows: list[Loop]) -> tuple[str, ...]:
        """Loops over panels that lie one after the other: along the lanes moves all that such a loop moves, and of some array each trip of
        it takes a piece whose rows are as long as the loop along the lanes."""
        found = accesses(self.nest, common[-1].body)

        def over_panels(loop: Loop) -> bool:
            moving = [a for a in found if a.depends_on(loop.var)]
            return all(a.depends_on(vector.var) for a in moving) and any(self._in_pieces(a, loop, vector) for a in moving)
        columns = tuple(loop.var for loop in common if loop.var != vector.var and loop not in rows and over_panels(loop)) if rows else ()
        if columns:
            self.note(f"panels lie one after the other along {', '.join(columns)}: they are outermost")
        return columns

    def _in_pieces(self, access: Access, loop: Loop, vector: Loop) -> bool:
        kind = self.nest.arrays.get(access.array)
        if kind is None or kind.rank < 3 or not isinstance(kind.size, int):
            return False
        piece = kind.size // int(str(kind.shape[0]))
        return bool(kind.shape[0] == loop.extent and kind.shape[-1] == vector.extent and access.coefficient(loop.var) == piece
                    and access.coefficient(vector.var) == 1)

    def _tile_of(self, common: list[Loop], vector: Loop, rows: list[Loop], room: Room, lanes: int) -> Tile:
        """The register tile of a contraction: by the cost model, but a panel that can be packed and blocks of rows are worth more."""
        body = common[-1].body
        packed = far_rows(self.nest, common, body, vector, 2 * lanes, self.target)
        own = bool(packed or self.inward) and not any(array in self.nest.still for array, _ in packed)  # a core packs its panels for itself
        far = self._panel_bytes(body, vector) > self.target.l2 // 2 and not packed and not self.inward \
            and any(static(loop.extent) is None for loop in common)  # else the sum is gone through in blocks, which are near
        whole = LINES_OF_ROWS if len(rows) == 1 and self._lines_are_lost(common, vector, rows[0], lanes) else ()
        extents = {loop.var: loop.extent for loop in rows}
        strips = self._strip(common, vector, rows, dict.fromkeys(extents, 8), 2 * lanes, bool(packed))
        back = is_dear(body) and not self.columns and not strips
        each = FAR if far else SPLIT if self._split(body, vector) else NEAR
        room = replace(room, streams=self.target.vector_bytes == 32 and room.blocks == 1)
        borders, loads = self._borders(body), room.load
        if far or borders or not (self._rows_are_many(rows, body) or self._beside_each_other(common, body)):
            room = replace(room, load=0.0)  # lines that come from far away, and rows at a border or that a last tile leaves, weigh more
        elif room.load and not self._sums_a_batch(body):
            room = replace(room, line=LINE_TAKES * self.target.multiply_adds, near=self._near_vectors(body, vector, lanes, packed))
        choices = partial(best_tiles, vector.extent, lanes, extents, room=room, heights=whole, each=each, masked=bool(self.nest.in_place),
                          apart=self._apart(rows), cores=self.target.cores if own else 1, back=back)
        few = FEW if self.columns else 0
        self.choices = choices(few=few)
        vectors = self.choices[0].vectors
        told = bool(packed) and self._told(vectors)
        leaves = len(common) == 2 and self._is_a_batch(rows) and not (self.columns or self.nest.still or self.nest.in_place)
        if loads and leaves and not (told or borders or far):
            self.choices = choices(room=replace(room, load=loads), singly=True)
            vectors = self.choices[0].vectors
        if borders or told:  # which decide how many rows go with so many vectors
            self.choices = choices(borders=borders, few=FEW if told else few)
        widths = {tile.vectors for tile in self.choices} if far_rows(self.nest, common, body, vector, lanes, self.target) else set()
        wide = self._rows_are_many(rows, body) and self._panel_bytes(body, vector) // QUARTER <= PACKED_BYTES
        packable = {n for n in widths if far_rows(self.nest, common, body, vector, lanes * n, self.target)
                    or (wide and QUARTER * lanes * n >= (static(vector.extent) or 0))}

        def drawbacks(tile: Tile) -> tuple[bool, ...]:
            """What weighs more than what a tile costs by the model, the first most. Of a short sum what follows is best written out."""
            dear = bool(self.inward) and is_dear(body, tile.vectors * tile.height)
            return dear, tile.vectors not in packable, bool(borders or told) and tile.vectors != vectors
        first = min(self.choices, key=drawbacks)
        self.choices.sort(key=lambda tile: (self._crowd(common, tile.rows), *drawbacks(tile)))
        if self.choices[0] is not first:
            self.note(f"the rows of a tile of {first} would push each other out of the first-level cache: they lie a power of two apart")
        # panels that are packed one by one have no blocks of rows
        alone = own and not self.target.wide and self._panel_bytes(body, vector) > PACKED_BYTES
        likely = [t for t in self.choices if not room.holds_rows(t.vectors, t.height)][:LIKELY]
        better = [t for t in likely if not alone and t.vectors == self.choices[0].vectors
                  and self._row_blocks(common, vector, t.rows, lanes * t.vectors)]
        if better:
            self.choices.sort(key=lambda tile: tile != better[0])
        return self._chosen()

    def _told(self, vectors: int) -> bool:
        """Whether the last rows of a batch are told from whole tiles (`singly`) and done some at a time, so that tiles may be tall."""
        return self.target.wide and not self.columns and not self.nest.still and not self.nest.in_place and vectors * FEW <= IN_FLIGHT

    def _rows_are_many(self, rows: list[Loop], body: tuple[Stmt, ...]) -> bool:
        """Whether a sum of known length is taken for rows that are many for each sample: what a last tile leaves of them is little."""
        summed = inner_loops(tuple(s for s in body if isinstance(s, Loop)))
        return all(static(loop.extent) is not None for loop in summed) and not self._is_a_batch(rows)

    def _is_a_batch(self, rows: list[Loop]) -> bool:
        return any(isinstance(loop.extent, Dim) and divisor(loop.extent) == 1 for loop in rows)

    def _borders(self, body: tuple[Stmt, ...]) -> Borders:
        """Of the axis whose tiles at the border of an image have code of their own: the rows that have the term of each tap."""
        row, over = self.edge or ("", "")
        loops = {loop.var: static(loop.extent) or 0 for loop in (*chain(self.nest.body), *inner_loops(body))}
        found = dict.fromkeys(g for a in accesses(self.nest, body) for g in a.guards if {row, over} == g.index.variables)
        rows = [tuple(range(loops[row])[slice(*_bounds(g, row, over, tap))] for tap in range(loops[over])) for g in found]
        return {row: rows[0]} if len(rows) == 1 and any(map(len, rows[0])) else {}

    def _beside_each_other(self, common: list[Loop], body: tuple[Stmt, ...]) -> bool:
        """Whether both operands of a sum over a batch come from near caches alike: block by block, as long as the results may wait. Asked
        only where two multiply-adds of 64 bytes begin in a cycle: loads take the places of other instructions there."""
        results = [static(loop.extent) for loop in common]
        known = [n for n in results if n is not None]
        return self.target.wide and self.target.multiply_adds > 1 and self._sums_a_batch(body) and not self.columns \
            and len(known) == len(results) and math.prod(known) * 4 <= WAITING_BYTES

    def _near_vectors(self, body: tuple[Stmt, ...], vector: Loop, lanes: int, packed: Sequence[Packed]) -> int:
        """The vectors of a tile up to which the first-level cache holds what its rows take in turn: a panel, or all panels where rows are
        outermost."""
        size = self._panel_bytes(body, vector)
        vectors = -(-guess(vector.extent) // lanes)
        if packed or self.inward or size > self.target.l2 // 4:
            return self.target.l1 * vectors // size
        return vectors if size <= self.target.l1 else 0

    def _split(self, body: tuple[Stmt, ...], vector: Loop) -> bool:
        """Whether short vectors of an operand whose rows begin anywhere lie in two lines now and then."""
        sums = list(inner_loops(tuple(s for s in body if isinstance(s, Loop))))
        strides = [a.coefficient(loop.var) for loop in sums for a in accesses(self.nest, (loop,)) if a.coefficient(vector.var) == 1]
        return not self.target.wide and any(isinstance(n, int) and n * 4 % self.target.vector_bytes for n in strides)

    def _terms_abreast(self, common: list[Loop], vector: Loop, rows: list[Loop], room: Room, lanes: int) -> Shape | None:
        """The tile, where it is better to have several terms of the sum side by side in the lanes, so that fewer of them are dead."""
        full = lanes_for(self.nest, self.target, vector.var)  # half of which hold few columns, but a term of each all of them
        found = self._terms_priced(common, vector, rows, room, full)
        if found is None or found[0] * lanes / full > WORTH * self._beside(common, vector, rows, room, lanes)[0][0]:
            return None
        _, terms, best, self.choices = found
        self.narrow, self.abreast = f"{vector.var}.i", (terms, best)
        tile = self._chosen()
        self.note(f"{best} terms of {terms.over[-1]} side by side in the lanes: columns alone fill their vectors badly")
        return Shape(full // best, tile.vectors, tuple(rows), tile.rows, terms=terms)

    def _terms_priced(self, common: list[Loop], vector: Loop, rows: list[Loop], room: Room,
                      lanes: int) -> tuple[float, Terms, int, list[Tile]] | None:
        """What tiles cost in which several terms of the sum are side by side; the terms, how many of them, and tiles, the best first."""
        whole = (static(vector.extent) or 0) % lanes == 0
        terms = None if whole or lanes < max(WAYS) else find_terms(self.nest, common, vector, self.target)
        if terms is None:
            return None
        found: list[tuple[float, int, list[Tile]]] = []
        for ways in [n for n in WAYS if lanes // n > 1]:  # a vector of one column is none
            tiles = self._beside(common, vector, rows, room, lanes, ways)
            tiles = [(cost, tile) for cost, tile in tiles if tile.height >= LEAST_ROWS] or tiles
            cost = tiles[0][0] * terms.dear(ways)
            if not found or cost < WORTH_MORE * found[0][0]:
                found.insert(0, (cost, ways, [tile for _, tile in tiles]))
        cost, best, choices = found[0]
        return cost, terms, best, choices

    def _beside(self, common: list[Loop], vector: Loop, rows: list[Loop], room: Room, lanes: int,
                ways: int = 1) -> list[tuple[float, Tile]]:
        """Tiles by what they cost, where `ways` terms of the sum are side by side."""
        each = NEAR if self.target.wide or ways > 1 else SPLIT  # rows that are not packed begin anywhere in a line
        room = replace(room, trip=room.trip / 2)  # several terms will be added in each
        tiles = priced_tiles(vector.extent, lanes // ways, {loop.var: loop.extent for loop in rows}, room, each=each,
                             masked=bool(self.nest.in_place), back=is_dear(common[-1].body), narrow=ways > 1)
        return sorted(tiles, key=lambda priced: self._crowd(common, priced[1].rows))

    def _lines_are_lost(self, common: list[Loop], vector: Loop, row: Loop, lanes: int) -> bool:
        """Whether rows lie side by side, are read by one tile alone (there is but one panel), and a line of which the next tile reads the
        rest is no longer in the first-level cache then."""
        inside = tuple(s for s in common[-1].body if isinstance(s, Loop))
        sums = list(inner_loops(inside))
        shared = [a for a in accesses(self.nest, inside) if not a.store and a.depends_on(row.var)]
        if len(common) != 2 or len(sums) != 1 or len(shared) != 1 or (static(vector.extent) or lanes + 1) > lanes:
            return False
        (load,) = shared
        return not load.depends_on(vector.var) and load.coefficient(row.var) == 1 and load.dtype.size == 4 \
            and crowded(guess(sums[0].extent), load.coefficient(sums[0].var) * load.dtype.size, self.target)

    def _crowd(self, common: list[Loop], rows: Mapping[str, int]) -> bool:
        """Whether the rows of a tile push each other's lines out of the first-level cache before the next terms of the sum are read, which
        lie in the same lines: each is then fetched again for each term."""
        inside = tuple(s for s in common[-1].body if isinstance(s, Loop))
        sums = list(inner_loops(inside))
        for a in accesses(self.nest, inside) if sums else ():
            term = a.coefficient(sums[-1].var)
            apart = [n for n in map(a.coefficient, rows) if isinstance(n, int)]
            if not isinstance(term, int) or not 0 < term * a.dtype.size < LINE or len(apart) < len(rows):
                continue
            offsets = itertools.product(*(range(0, n * count, n) if n else (0,) for n, count in zip(apart, rows.values(), strict=True)))
            if crowd((sum(moves) * a.dtype.size for moves in offsets), self.target):
                return True
        return False

    def _apart(self, rows: list[Loop]) -> frozenset[str]:
        """Axes along which a row of a tile is pages from the next."""
        found = accesses(self.nest, self.nest.body)
        return frozenset(loop.var for loop in rows for a in found
                         if not isinstance(n := a.coefficient(loop.var), int) or n * a.dtype.size > PAGE)

    def _row_axes(self, common: list[Loop], vector: Loop, body: tuple[Stmt, ...]) -> list[Loop]:
        """Common loops on which some load inside the reductions does not depend, the last first, until there are 8 rows. Those
        that bound a sum are none: their rows would have different terms.

        What does not move with the reduction either is loaded before it: rows need not share that."""
        summed = {loop.var for loop in inner_loops(body)}
        inner = [a for loop in body if isinstance(loop, Loop) for a in accesses(self.nest, (loop,))
                 if not a.store and any(a.depends_on(v) for v in summed)]
        rows: list[Loop] = []
        total = 1
        bounding = {var for loop in inner_loops(body) if loop.where for var in loop.where.index.variables}
        for loop in reversed(common):
            if loop.var == vector.var or loop.var in bounding or (total >= 8 and not self._uneven(rows, loop)):
                continue
            if len(inner) > 1 and any(not a.depends_on(loop.var) and a.depends_on(vector.var) for a in inner):
                if rows and static(loop.extent) is None and not self.taps:
                    break
                rows.append(loop)
                total *= static(loop.extent) or 8
        return rows

    def _uneven(self, rows: list[Loop], loop: Loop) -> bool:
        """Whether the rows that registers hold beside two vectors do not divide an axis, but some of them do and all trips of `loop`."""
        most, extents = (self.target.registers - 4) // 2, [static(x.extent) or 1 for x in (*rows, loop)]
        heights = range(AT_EASE, most + 1) if self.target.wide else [most] if self.target.registers < 32 else []
        if len(extents) != 2 or extents[1] == 1 or any(extents[0] % n == 0 for n in heights):
            return False
        return any(n % extents[1] == 0 and extents[0] % (n // extents[1]) == 0 for n in heights)
