"""Panels: a vector axis beside reductions, rows tiled beside it, all sums of a tile in registers."""

from __future__ import annotations

from ..access import chain, guess, inner_loops, static
from ..column_pieces import LARGE_BATCH, Pieces, column_pieces
from ..conflicts import WAY
from ..epilogue import settle_epilogue
from ..nest import FOR, Acc, Accum, Loop, Stmt, all_stores, loops, statements
from ..packing import FAR_APART, PART, part_of
from ..schedule import (
    along,
    chunk,
    edges,
    jam,
    keep,
    pack,
    pack_all,
    refill,
    reorder,
    repack,
    rfactor,
    strip,
    tile,
    unpacked,
    unroll,
    why_not_along,
    why_not_edges,
    why_not_unpacked,
)
from ..schedule.chunk import chunkable, operands
from ..schedule.refill import refilled
from ..schedule.repack import why_not_repack
from ..schedule.unpacked import reads_for_a_row, row_stride
from ..strips import column_blocks, is_bare
from ..tiles import rows_of_a_sample
from ..windows import Window
from .base import Shape
from .routes import Route
from .shapes import Shapes
from .sums import MOST_TERMS, WRITTEN_OUT

UNPACKED_TILES = 4  # of rows, up to which panels are read where they lie: to pack one takes as long as two or three


class Panels(Shapes):
    """Sums with a vector axis beside them, tile by tile."""

    def _panels(self, common: list[Loop], vector: Loop) -> None:
        body = common[-1].body
        shape = self._shape(common, vector)
        self.note(f"vectors along {vector.var}: {shape.lanes} lanes, {shape.count} side by side")
        route = self._route(common, vector, shape)
        if route.strip:
            common, vector = self._column_blocks(common, vector, shape.width)
        self._cut(vector.var, shape.width, shape.lanes)
        pieces = self._pieces(common, shape)
        names, by_samples = self._cut_rows(common, shape, route, pieces)
        if route.strip:
            self._strips(common, vector, shape.rows[0], names[0], shape.count, route.strip)
            return
        if route.blocked:
            self.note(f"{route.blocked.rows} rows at a time for all panels: what they read stays in the second-level cache")
        others = [loop.var for loop in common if loop.var not in (vector.var, *shape.columns)]
        if by_samples or pieces.rows or (route.blocked and route.blocked.cut):
            others = [f"{others[0]}.o", f"{others[0]}.i"]
        if pieces.panels:
            others = [f"{shape.columns[0]}.o", *others]
        if not (route.packed or route.blocked or shape.window or shape.columns):
            others = self._matrices_first(common, vector, others)
        if not (route.packed or route.blocked or shape.columns):
            others = self._groups_first(common, vector, others)
        before = route.blocked.before if route.blocked else pieces.before
        self._order(others, vector.var, shape.count, names, route.outermost, before)
        if shape.window:
            self._write_out(shape.window)
        elif not route.packed and not self.whole:  # a loop over which a panel is packed stays whole
            self._more_chains(body, 8 // max(1, shape.sums * self._blocks(common)))
        for var in (f"{vector.var}.i.v", *([f"{vector.var}.i.u"] if shape.count > 1 else []), *reversed(names)):
            self.nest = jam(self.nest, var)
        self.nest = settle_epilogue(self.nest, names, shape.count)
        self.tiled = list(names)
        if not self.whole:  # else once the loops are shared
            self._pack(vector, shape, route)
        if self.columns:
            self._refill(f"{vector.var}.o", self.columns[-1] if pieces.packed else "")

    def _column_blocks(self, common: list[Loop], vector: Loop, width: int) -> tuple[list[Loop], Loop]:
        """The loops, and the one along the lanes, once its blocks are cut that a strip goes through one after the other."""
        extent = static(vector.extent) or 1
        blocks = column_blocks(self.nest, common[-1].body, extent, width)
        if blocks <= 1:
            return common, vector
        self.nest = tile(self.nest, vector.var, extent // blocks)
        common = chain(self.nest.body)
        return common, next(loop for loop in common if loop.var == f"{vector.var}.i")

    def _cut_rows(self, common: list[Loop], shape: Shape, route: Route, pieces: Pieces) -> tuple[tuple[str, ...], bool]:
        """Cuts and unrolls the rows of a tile: their loops, and whether tiles keep to the rows of a sample."""
        names, by_samples = [], False
        whole = not route.packed and not route.outermost and len(common) == 2
        for loop in shape.rows:
            size, var = shape.tiles.get(loop.var, 1), loop.var
            if size == 1:
                continue
            cut = route.strip or pieces.rows or (route.blocked.cut if route.blocked else 0)
            if not cut and whole and (sample := rows_of_a_sample(loop.extent, size)):
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
        return tuple(names), by_samples

    def _pack(self, vector: Loop, shape: Shape, route: Route) -> None:
        for array, over in route.packed:
            self.nest = pack(self.nest, array, vector.var, *over, shape.lanes)
            why = "lanes lie side by side in the results alone" if self.inward else "its rows lie far apart, and many tiles read the panel"
            self.note(f"{array} is packed for each panel: {why}")

    def _pieces(self, common: list[Loop], shape: Shape) -> Pieces:
        """The pieces that rows are cut into before panels that lie one after the other."""
        if not shape.columns or len(shape.rows) != 1 or len(common) != len(shape.columns) + 2:
            return Pieces()
        (row,) = shape.rows
        pieces = column_pieces(self.nest, self.target, common, shape.columns, row, (shape.tiles[row.var], shape.width))
        if pieces.panels:
            (over,) = shape.columns
            self.nest = tile(self.nest, over, pieces.panels)
            self.columns, self.in_pieces, self.together = (f"{over}.i",), True, pieces.packed
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
            part = part_of(over.extent)
            vectors = count * int(str(loops(self.nest, tile_row)[0].extent))
            terms = next(n for n in range(min(MOST_TERMS, WRITTEN_OUT // vectors), 0, -1) if part % n == 0)
            self.nest = chunk(self.nest, over.var, panel, rows, part, terms, *(["ahead"] if far else []))
            self.note(f"{part} of {over.var} at a time, packed: both operands lie in the first-level cache for all tiles of the strip; "
                      f"a trip adds {terms} terms")

    def _pack_whole(self) -> None:
        for array, var, over in self.whole:
            lanes = int(str(loops(self.nest, f"{var}.i.v")[0].extent))
            self.nest = pack_all(self.nest, array, var, *over, lanes)
            if array not in self.kept and not self.abreast:
                self.note(f"{array} is packed whole: its rows lie far apart, and many rows of the result read it")

    def _unpacked(self) -> None:
        """Panels that are packed at every call are read where they lie if the batch has few rows."""
        for array in [name.removeprefix("pack.") for name in self.nest.scratch if name.startswith("pack.")]:
            for rows in [var.removesuffix(".i") for var in self.tiled]:
                if not why_not_unpacked(self.nest, array, rows):
                    tiles = self._unpacked_tiles(array, rows) // reads_for_a_row(self.nest, array, rows)
                    if not tiles:
                        continue
                    few = tiles * loops(self.nest, f"{rows}.o")[0].step
                    self.nest = unpacked(self.nest, array, rows, few)
                    self.note(f"up to {few} rows of {rows} read {array} where it lies: to pack it would take longer")
                    if not why_not_along(self.nest, array, rows):
                        self.nest = along(self.nest, array, rows)
                        self.note(f"of more rows the first tile packs {array} while it sums")

    def _unpacked_tiles(self, array: str, rows: str) -> int:
        """Tiles of rows up to which a panel is read where it lies. One, where the first of more may pack it and that costs little: with
        short vectors, or where all lines of a panel have one place in the first-level cache, which each tile would read from far away."""
        packs_along = any(True for _ in loops(self.nest, f"{rows}.w"))
        apart = row_stride(self.nest, array)
        near = isinstance(apart, int) and apart * self.nest.dtype_of(array).size % WAY == 0
        return 1 if packs_along and (near or not self.target.wide) else UNPACKED_TILES

    def _keep(self) -> None:
        for array in self.kept:
            self.nest = keep(self.nest, array)
            self.note(f"{array} holds still: it is packed when it has changed, and its panels are kept")

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
