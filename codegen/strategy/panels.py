"""Panels: a vector axis beside reductions, rows tiled beside it, all sums of a tile in registers."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ..access import Access, accesses, chain, divisor, guess, inner_loops, static, useful_lanes
from ..column_pieces import LARGE_BATCH, Pieces, column_pieces
from ..conflicts import crowded
from ..epilogue import is_dear, settle_epilogue
from ..nest import FOR, Acc, Accum, Loop, Stmt, all_stores, loops, statements
from ..packing import FAR_APART, PACKED_BYTES, PART, far_rows
from ..row_blocks import RowBlocks, Traffic, row_blocks
from ..schedule import chunk, edges, jam, keep, pack, pack_all, refill, reorder, repack, rfactor, strip, tile, unroll, why_not_edges
from ..schedule.chunk import chunkable, operands
from ..schedule.refill import refilled
from ..schedule.repack import why_not_repack
from ..strips import PAGE, column_blocks, is_bare, strip_rows
from ..tiles import FEW, Room, Tile, best_tiles, rows_of_a_sample
from ..windows import Window, find_window, taps_tile, window_tile
from .base import Scheduling

LIKELY = 3  # tiles that cost nearly the same
MANY_ROWS = 64  # rows at the least for which each thread packs all of an operand
LINES_OF_ROWS = (4, 8, 16)  # rows of four bytes that are a line, or a part of one: no tile has parts of two
COLUMN_VECTORS = 8  # vectors side by side in a reduction over columns


class Panels(Scheduling):
    """Sums with a vector axis beside them, tile by tile."""

    def _panels(self, common: list[Loop], vector: Loop) -> None:
        lanes = useful_lanes(self.nest, self.target, vector)
        blocks, room = self._blocks(common), self._room(common)
        body = common[-1].body
        rows = self._row_axes(common, vector, body)
        extent = static(vector.extent)
        available = 4 if extent is None else -(-extent // lanes)
        alone = find_window(self.nest, body, vector, rows, self.target)
        window = alone or self.taps
        inside = tuple(s for s in body if isinstance(s, Loop))
        self.apart = all(a.depends_on(vector.var) for a in accesses(self.nest, inside) if not a.store)
        columns = self.columns = () if window else self._columns(common, vector, rows)
        if window:
            slid = window.row  # moves fastest
            rows = [loop for loop in rows if loop.var != slid] + [loop for loop in common if loop.var == slid]
            best = window_tile(window, {loop.var: static(loop.extent) or 1 for loop in rows}, room) if alone else \
                taps_tile(window, {loop.var: loop.extent for loop in rows}, room)
            count, tiles = 1, best.rows
        elif rows:
            best = self._tile_of(common, vector, rows, room, lanes)
            count, tiles = best.vectors, best.rows
        else:
            count = min(COLUMN_VECTORS if blocks else 4, available, room.sums)
            tiles = {}
        self.note(f"vectors along {vector.var}: {lanes} lanes, {count} side by side")
        packed = [] if window or columns else far_rows(self.nest, common, body, vector, lanes * count, self.target)
        strip_size = None if window or columns else self._strip(common, vector, rows, tiles, lanes * count, bool(packed))
        packed = [] if strip_size else packed
        outermost, blocked = bool(columns), None
        if not window and not columns and not strip_size:
            blocked = self._row_blocks(common, vector, tiles, lanes * count)
            outermost = self._panels_first(body, vector, rows, packed, common, blocked)
            if packed and not self.whole:
                blocked = None  # a panel that is packed just before its rows is packed once
        if strip_size and (blocks_of := column_blocks(self.nest, body, extent or 1, lanes * count)) > 1:
            self.nest = tile(self.nest, vector.var, (extent or 1) // blocks_of)
            common = chain(self.nest.body)
            vector = next(loop for loop in common if loop.var == f"{vector.var}.i")
        self._cut(vector.var, lanes * count, lanes)
        pieces = self._pieces(common, rows, tiles, lanes * count)
        names, by_samples = [], False
        for loop in rows:
            size, var = tiles.get(loop.var, 1), loop.var
            if size == 1:
                continue
            cut = strip_size or pieces.rows or (blocked.cut if blocked else 0)
            if not cut and not packed and not outermost and len(common) == 2 and (sample := rows_of_a_sample(loop.extent, size)):
                cut, by_samples = sample, True
                self.note(f"{sample} rows of {var} are a sample: no tile has rows of two")
            if cut:
                self.nest = tile(self.nest, var, cut)
                var = f"{var}.i"
            if static(loop.extent) == size:
                self.nest = unroll(self.nest, var)
                names.append(var)
            else:
                self.nest = unroll(tile(self.nest, var, size), f"{var}.i")
                names.append(f"{var}.i")
            self.note(f"{size} rows of {loop.var} at a time: they share what does not depend on {loop.var}")
        if strip_size:
            self._strips(common, vector, rows[0], names[0], count, strip_size)
            return
        accumulators = count
        for size in tiles.values():
            accumulators *= size
        others = [loop.var for loop in common if loop.var not in (vector.var, *columns)]
        if by_samples or pieces.rows:
            others = [f"{others[0]}.o", f"{others[0]}.i"]
        if pieces.panels:
            others = [f"{columns[0]}.o", *others]
        if blocked:
            others = [f"{others[0]}.o", f"{others[0]}.i"] if blocked.cut else others
            self.note(f"{blocked.rows} rows at a time for all panels: what they read stays in the second-level cache")
        self._order(others, vector.var, count, tuple(names), outermost, blocked.before if blocked else pieces.before)
        if window:
            self._write_out(window)
        elif blocks and accumulators * blocks < 8 and not packed and not self.whole:  # a loop over which a panel is packed stays whole
            self._more_chains(body, 8 // (accumulators * blocks))
        for var in (f"{vector.var}.i.v", *([f"{vector.var}.i.u"] if count > 1 else []), *reversed(names)):
            self.nest = jam(self.nest, var)
        self.nest = settle_epilogue(self.nest, tuple(names), count)
        self.tiled = names
        for array, over in packed:
            if self.whole:
                break  # once the loops are shared
            self.nest = pack(self.nest, array, vector.var, *over, lanes)
            self.note(f"{array} is packed for each panel: its rows lie far apart, and many tiles read the panel")
        if columns:
            self._refill(f"{vector.var}.o", self.columns[-1] if pieces.packed else "")

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

    def _pieces(self, common: list[Loop], rows: list[Loop], tiles: Mapping[str, int], width: int) -> Pieces:
        """The pieces that rows are cut into before panels that lie one after the other."""
        if not self.columns or len(rows) != 1 or len(common) != len(self.columns) + 2:
            return Pieces()
        (row,) = rows
        pieces = column_pieces(self.nest, self.target, common, self.columns, row, (tiles[row.var], width))
        if pieces.panels:
            (over,) = self.columns
            self.nest = tile(self.nest, over, pieces.panels)
            self.columns, self.in_pieces = (f"{over}.i",), True
            what = f"{pieces.rows} rows of {row.var} at a time" if pieces.rows else f"all of {row.var}"
            self.note(f"{what} for {pieces.panels} panels of a core: what they read stays in the second-level cache")
        return pieces

    def _refill(self, panel: str, panels: str) -> None:
        """Packs what the lanes take of a sum, part by part, where its rows lie far apart; if the loop `panels` is given, for all its trips
        what the rows take of it, too."""
        (loop,) = loops(self.nest, panel)
        sums = [s for s in loop.inside if isinstance(s, Loop) and s.mode == FOR and any(isinstance(x, Accum) for x in s.inside)
                and not any(isinstance(x, Loop) and x.mode == FOR for x in s.inside)]
        if panels and len(sums) == 1 and not why_not_repack(loops(self.nest, panels)[0], sums[0].var):
            self.nest = repack(self.nest, sums[0].var, panels, PART)
            self.note(f"{PART} of {sums[0].var} at a time both operands are packed: for one term they lie far from those for the next")
            return
        load = refilled(loop.body, sums[0].var) if len(sums) == 1 else None
        stride = load.index[0].coefficient(sums[0].var) if load else 0
        if load and isinstance(stride, int) and stride * load.dtype.size >= FAR_APART:
            self.nest = refill(self.nest, sums[0].var, panel, PART)
            self.note(f"{PART} of {sums[0].var} at a time {load.array} is packed for the tiles of a panel: its rows lie far apart")

    def _tile_of(self, common: list[Loop], vector: Loop, rows: list[Loop], room: Room, lanes: int) -> Tile:
        """The register tile of a contraction: by the cost model, but a panel that can be packed and blocks of rows are worth more."""
        body = common[-1].body
        packed = far_rows(self.nest, common, body, vector, 2 * lanes, self.target)
        own = bool(packed) and not any(array in self.nest.still for array, _ in packed)  # a core packs its panels for itself
        far = self._panel_bytes(body, vector) > self.target.l2 // 2 and not packed \
            and any(static(loop.extent) is None for loop in common)  # else the sum is gone through in blocks, which are near
        whole = LINES_OF_ROWS if len(rows) == 1 and self._lines_are_lost(common, vector, rows[0], lanes) else ()
        extents = {loop.var: loop.extent for loop in rows}
        strips = self._strip(common, vector, rows, dict.fromkeys(extents, 8), 2 * lanes, bool(packed))
        back = is_dear(body) and not self.columns and not strips
        self.choices = best_tiles(vector.extent, lanes, extents, room, whole, far=far, masked=bool(self.nest.in_place),
                                  apart=self._apart(rows), cores=self.target.cores if own else 1, few=FEW if self.columns else 0, back=back)
        if far_rows(self.nest, common, body, vector, lanes, self.target):
            widths = {tile.vectors for tile in self.choices}
            fit = {n for n in widths if far_rows(self.nest, common, body, vector, lanes * n, self.target)}
            self.choices.sort(key=lambda tile: tile.vectors not in fit)
        better = [t for t in self.choices[:LIKELY] if t.vectors == self.choices[0].vectors
                  and self._row_blocks(common, vector, t.rows, lanes * t.vectors)]
        if better:
            self.choices.sort(key=lambda tile: tile != better[0])
        return self._chosen()

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

    def _apart(self, rows: list[Loop]) -> frozenset[str]:
        """Axes along which a row of a tile is pages from the next."""
        found = accesses(self.nest, self.nest.body)
        return frozenset(loop.var for loop in rows for a in found
                         if not isinstance(n := a.coefficient(loop.var), int) or n * a.dtype.size > PAGE)

    def _write_out(self, window: Window) -> None:
        """Writes out the loop that a window slides along, so that its rows share what they read."""
        over = window.over
        inside = [loop.var for loop in inner_loops(loops(self.nest, over)[0].body) if loop.mode == FOR]
        if inside:
            self.nest = reorder(self.nest, *inside, over)
        if static(loops(self.nest, over)[0].extent) != window.steps:
            self.nest, over = tile(self.nest, over, window.steps), f"{over}.i"
        self.nest = unroll(self.nest, over)
        self.note(f"{window.row} slides along {window.over}: {window.steps} of it are written out, and what they hold is read once")

    def _edges(self) -> None:
        """Tiles at the border of an image are told from the others, once operands are packed: that asks for whole loops."""
        row, over = self.edge or ("", "")
        for rows in self.tiled:
            of = over if rows in (row, f"{row}.i") else ""
            if not why_not_edges(self.nest, rows, of):
                self.nest = edges(self.nest, rows, *filter(None, [of]))
                axis = rows.removesuffix(".i")
                self.note(f"tiles of {axis} at the border have code of their own: what a guard makes 0 is left out there")

    def _strip(self, common: list[Loop], vector: Loop, rows: list[Loop], tiles: Mapping[str, int], columns: int, packs: bool) -> int | None:
        """Rows of the strips in which the epilogue is to run; None for tile by tile, as where the panels can be packed in another way."""
        if len(rows) != 1 or tiles.get(rows[0].var, 1) == 1:
            return None
        sums = list(inner_loops(common[-1].body))
        needed = packs or is_bare(self.nest, common[-1].body)
        if needed and not (len(sums) == 1 and operands((sums[0],), rows[0].var, vector.var, sums[0].var)):
            return None
        return strip_rows(self.nest, self.target, common, vector, rows[0], (tiles[rows[0].var], columns))

    def _strips(self, common: list[Loop], vector: Loop, row: Loop, tile_row: str, count: int, size: int) -> None:
        """Strips of rows outermost, then panels, then the tiles of the strip; their epilogues, if they have any, after all of them."""
        others = [loop.var for loop in common if loop.var not in (vector.var, row.var)]
        panel, rows = f"{vector.var}.o", f"{row.var}.i.o"
        units = [f"{vector.var}.i.u"] if count > 1 else []
        self.nest = reorder(self.nest, *others, f"{row.var}.o", panel, rows, tile_row, *units, f"{vector.var}.i.v")
        for var in (f"{vector.var}.i.v", *units, tile_row):
            self.nest = jam(self.nest, var)
        bare = is_bare(self.nest, common[-1].body)
        if not bare:
            self.nest = strip(self.nest, panel, rows, tile_row)
            self.note(f"{size} rows of {row.var} keep their sums: the epilogue then runs along whole rows of memory")
        (over,) = inner_loops(common[-1].body)
        if chunkable(loops(self.nest, over.var), tile_row, f"{vector.var}.i.v"):
            (_, across) = operands(tuple(loops(self.nest, over.var)), tile_row, f"{vector.var}.i.v", over.var) or (None, None)
            kind = self.nest.arrays[across.array] if across else None
            far = kind is not None and guess(kind.size, LARGE_BATCH) * kind.dtype.size > self.target.l2 // 2
            self.nest = chunk(self.nest, over.var, panel, rows, PART, *(["ahead"] if far else []))
            self.note(f"{PART} of {over.var} at a time, packed: both operands lie in the first-level cache for all tiles of the strip")

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

    def _panels_first(self, body: tuple[Stmt, ...], vector: Loop, rows: list[Loop], packed: list[tuple[str, tuple[str, ...]]],
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

    def _pack_whole(self) -> None:
        for array, var, over in self.whole:
            lanes = int(str(loops(self.nest, f"{var}.i.v")[0].extent))
            self.nest = pack_all(self.nest, array, var, *over, lanes)
            if array not in self.kept:
                self.note(f"{array} is packed whole: its rows lie far apart, and many rows of the result read it")

    def _keep(self) -> None:
        for array in self.kept:
            self.nest = keep(self.nest, array)
            self.note(f"{array} holds still: it is packed when it has changed, and its panels are kept")

    def _streams(self, body: tuple[Stmt, ...], vector: Loop, rows: list[Loop]) -> bool:
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
        """Whether the rows that 16 registers hold beside two vectors do not divide an axis, but some of them do and all trips of `loop`."""
        most, extents = (self.target.registers - 4) // 2, [static(x.extent) or 1 for x in (*rows, loop)]
        fits = len(rows) == 1 and extents[0] % most > 0 and most % extents[1] == 0 and extents[0] % (most // extents[1]) == 0
        return self.target.registers < 32 and extents[1] > 1 and fits

    def _more_chains(self, body: tuple[Stmt, ...], ways: int) -> None:
        """Cuts the innermost reduced loops into `ways` independent sums, to hide the latency of an addition."""
        done = set()
        for loop in list(inner_loops(body)):
            if any(isinstance(s, Loop) for s in statements(loop.body)) or loop.var in done or loop.where or guess(loop.extent) < 2 * ways:
                continue
            if not any(isinstance(s, Acc) for s in statements(body)) or ways < 2:
                continue
            if any(True for _ in all_stores(loop.body)):
                continue
            done.add(loop.var)
            self.nest = unroll(tile(self.nest, loop.var, ways), f"{loop.var}.i")
            self.nest = rfactor(self.nest, f"{loop.var}.i")
            self.note(f"{ways} sums side by side along {loop.var} hide the latency of one")
