"""Which steps for which kernel, and why. No op's name occurs here: only extents, coefficients and the target.

`plan` looks for a vector axis; with one among the common loops, rows are tiled beside it and everything between is
kept in registers; without one, the reduced axis itself is cut into lanes. Every decision leaves a note.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from .access import (
    Access,
    accesses,
    body_cost,
    chain,
    divisor,
    guess,
    has_accumulators,
    indirect,
    inner_loops,
    lanes_for,
    leaf_cost,
    static,
    useful_lanes,
)
from .blocking import settle_blocks
from .epilogue import settle_epilogue, turned_epilogue
from .nest import UNROLL, Acc, Loop, Nest, Stmt, Store, all_stores, loops, statements
from .packing import Turned, far_rows, find_turned, store_columns
from .schedule import (
    chunk,
    collapse,
    jam,
    pack,
    pack_all,
    parallel,
    reorder,
    rfactor,
    singly,
    slide,
    strip,
    tile,
    transpose,
    unroll,
    vectorize,
    why_not_singly,
    why_not_slide,
)
from .schedule.accumulate import carried
from .schedule.chunk import chunkable
from .schedule.loops import can_collapse
from .strips import strip_rows
from .target import Target
from .tiles import Room, Tile, best_tiles
from .windows import Window, find_window, window_tile

MIN_TRIP_COST = 2000  # a trip of a shared loop should cost at least this many vector instructions
CHUNK = 64  # of a sum, of which both operands are packed for a strip of tiles
MANY_ROWS = 64  # rows at the least for which each thread packs all of an operand
COLUMN_VECTORS = 8  # vectors side by side in a reduction over columns


def plan(nest: Nest, target: Target, tile: Tile | None = None) -> Nest:
    """The scheduled nest. Depends on the nest's extents and the target alone, never on threads or the batch size.

    `tile`: one of `tile_choices`, in place of the one that the cost model takes."""
    return _Planner(nest, target, tile).run()


def tile_choices(nest: Nest, target: Target) -> list[Tile]:
    """The register tiles that a nest may have, the one that `plan` takes first; none where that is not the question."""
    planner = _Planner(nest, target)
    planner.run()
    return planner.choices


@dataclass
class _Planner:
    nest: Nest
    target: Target
    tile: Tile | None = None
    choices: list[Tile] = field(default_factory=list)  # the best first
    whole: list[tuple[str, str, str]] = field(default_factory=list)  # operands to be packed whole: array, lanes along, summed over

    def note(self, text: str) -> None:
        self.nest = replace(self.nest, notes=(*self.nest.notes, text))

    def run(self) -> Nest:
        self._collapse_all()
        common = chain(self.nest.body)
        reduces = has_accumulators(self.nest.body)
        body = common[-1].body if common else self.nest.body
        inner = {loop.var for loop in inner_loops(body)}
        vector = self._vector_axis(common, exact=reduces)
        if self.target.vector_bytes == 0:
            self.note("the target has no vectors: plain loops")
        elif vector is not None and (inner or reduces):
            self._panels(common, vector)
        elif vector is not None:
            self._map(common, vector)
        elif reduces and (turned := find_turned(self.nest, common, self.target)) is not None:
            self._turned_panels(common, turned)
        elif inner:
            self._row(inner)
        else:
            self.note("no axis suits vectors: one element at a time")
        self._share()
        self._pack_whole()
        self.nest = settle_blocks(self.nest, self.target)
        self._last_rows()
        self._whole_tiles()
        return self.nest

    # Collapsing

    def _collapse_all(self) -> None:
        """Makes neighbouring loops one wherever every index allows it: fewer loops, longer vectors."""
        while True:
            pair = next(((outer.var, outer.body[0].var) for outer in inner_loops(self.nest.body)
                         if len(outer.body) == 1 and isinstance(outer.body[0], Loop)
                         and can_collapse(self.nest, outer.var, outer.body[0].var)), None)
            if pair is None:
                return
            self.nest = collapse(self.nest, *pair)

    # The vector axis

    def _vector_axis(self, common: list[Loop], exact: bool) -> Loop | None:
        """The common loop along which memory is contiguous, or else, in a map, the one that costs least: a gather costs a
        lane each, a store that can be transposed in registers about three vectors."""
        best, best_cost = None, 0.0
        for loop in reversed(common):
            found = accesses(self.nest, common[-1].body)
            stores = [a for a in found if a.store]
            if any(a.coefficient(loop.var) == 0 for a in stores):
                continue
            strided = [a for a in found if a.coefficient(loop.var) not in (0, 1) or indirect(a, self.nest, loop.var)]
            if exact and strided:
                continue
            lanes = lanes_for(self.nest, self.target, loop.var)
            extent = static(loop.extent)
            used = 1.0 if extent is None else extent / (-(-extent // lanes) * lanes)
            turned = store_columns(self.nest, common, loop) is not None

            def price(a: Access, loop: Loop = loop, strided: list[Access] = strided, lanes: int = lanes, turned: bool = turned) -> float:
                if a.coefficient(loop.var) == 0 and a not in strided:
                    return 0.2
                return 1 if a not in strided else 3 if a.store and turned else lanes

            cost = sum(price(a) for a in found) / used
            if best is None or cost < best_cost:
                best, best_cost = loop, cost
        return best

    # Maps

    def _map(self, common: list[Loop], vector: Loop) -> None:
        lanes = useful_lanes(self.nest, self.target, vector)
        ordered = bool(self._ordered())  # asked of the whole loops: once cut, the vector stands between them
        cost = leaf_cost(common[-1].body)
        count = 4 if cost <= 24 else 2 if cost <= 60 else 1
        extent = static(vector.extent)
        if extent is not None:
            count = min(count, -(-extent // lanes))
        self.note(f"vectors along {vector.var}: {lanes} lanes, {count} at a time (cost {cost} an element)")
        columns = store_columns(self.nest, common, vector)
        if columns is not None and lanes > 1:
            self._map_turned(common, vector, columns, lanes)
            return
        self._cut(vector.var, lanes * count, lanes)
        self._order([loop.var for loop in common if loop.var != vector.var], vector.var, count, (), outermost=ordered)

    def _ordered(self) -> set[str]:
        """Loops that may add to one element several times: their trips keep their order, on one thread."""
        adding = [s for s in statements(self.nest.body) if isinstance(s, Store) and s.accumulate]
        return {loop.var for loop in chain(self.nest.body) if any(loop.var not in dict(s.index.terms) for s in adding)}

    def _map_turned(self, common: list[Loop], vector: Loop, columns: Loop, lanes: int) -> None:
        """Reads along one axis, stores along another: blocks transposed in registers."""
        self._cut(vector.var, lanes, lanes)
        self.nest = unroll(tile(self.nest, columns.var, lanes), f"{columns.var}.i")
        others = [x.var for x in common if x.var not in (vector.var, columns.var)]
        self.nest = reorder(self.nest, *others, f"{vector.var}.o", f"{columns.var}.o", f"{columns.var}.i", f"{vector.var}.i.v")
        self.nest = transpose(self.nest, f"{columns.var}.i", f"{vector.var}.i.v")
        self.note(f"blocks of {lanes} x {lanes} are transposed in registers: read along {vector.var}, stored along {columns.var}")

    def _cut(self, var: str, size: int, lanes: int) -> None:
        self.nest = vectorize(tile(self.nest, var, size), f"{var}.i", lanes)

    def _order(self, others: list[str], vector: str, count: int, rows: tuple[str, ...], outermost: bool = False) -> None:
        """Puts the loops in order: shared ones, then the tile's rows, then its vectors."""
        outer = [f"{v}.o" if f"{v}.i" in rows else v for v in others if v not in rows]
        panel = [f"{vector}.o"]
        inside = [*rows, *([f"{vector}.i.u"] if count > 1 else []), f"{vector}.i.v"]
        self.nest = reorder(self.nest, *(panel + outer if outermost else outer + panel), *inside)

    # Panels: a vector axis beside reductions

    def _panels(self, common: list[Loop], vector: Loop) -> None:
        lanes = useful_lanes(self.nest, self.target, vector)
        blocks, room = self._blocks(common), self._room(common)
        body = common[-1].body
        rows = self._row_axes(common, vector, body)
        extent = static(vector.extent)
        available = 4 if extent is None else -(-extent // lanes)
        window = find_window(self.nest, body, vector, rows, self.target)
        if window:
            best = window_tile(window, {loop.var: static(loop.extent) or 1 for loop in rows}, room)
            rows = sorted(rows, key=lambda loop: loop.var == window.row)  # the window's row moves fastest
            count, tiles = 1, best.rows
        elif rows:
            far = self._panel_bytes(body, vector) > self.target.l2 // 2 and not far_rows(self.nest, common, body, vector, 2 * lanes)
            self.choices = best_tiles(vector.extent, lanes, {loop.var: loop.extent for loop in rows}, room, far=far)
            best = self._chosen()
            count, tiles = best.vectors, best.rows
        else:
            count = min(COLUMN_VECTORS if blocks else 4, available, room.sums)
            tiles = {}
        self.note(f"vectors along {vector.var}: {lanes} lanes, {count} side by side")
        strip_size = self._strip(common, vector, rows, tiles, lanes * count)
        packed = [] if strip_size or window else far_rows(self.nest, common, body, vector, lanes * count)
        self._cut(vector.var, lanes * count, lanes)
        names = []
        for loop in rows:
            size, var = tiles.get(loop.var, 1), loop.var
            if size == 1:
                continue
            if strip_size:
                self.nest = tile(self.nest, var, strip_size)
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
        others = [loop.var for loop in common if loop.var != vector.var]
        outermost = not window and self._panels_first(body, vector, rows, packed, common)
        self._order(others, vector.var, count, tuple(names), outermost)
        if window:
            self._write_out(window)
        elif blocks and accumulators * blocks < 8:
            self._more_chains(body, 8 // (accumulators * blocks))
        for var in (f"{vector.var}.i.v", *([f"{vector.var}.i.u"] if count > 1 else []), *reversed(names)):
            self.nest = jam(self.nest, var)
        self.nest = settle_epilogue(self.nest, tuple(names), count)
        for array, over in packed:
            if self.whole:
                break  # once the loops are shared
            self.nest = pack(self.nest, array, vector.var, over, lanes)
            self.note(f"{array} is packed for each panel: its rows lie far apart, and many tiles read the panel")

    def _write_out(self, window: Window) -> None:
        """Writes out the loop that a window slides along, so that its rows share what they read."""
        over = window.over
        if static(loops(self.nest, over)[0].extent) != window.steps:
            self.nest, over = tile(self.nest, over, window.steps), f"{over}.i"
        self.nest = unroll(self.nest, over)
        self.note(f"{window.row} slides along {window.over}: {window.steps} of it are written out, and a vector is read once for all rows")

    def _last_rows(self) -> None:
        """Along an axis of unknown length, the rows of a last tile that is not full are done one by one."""
        for var in dict.fromkeys(loop.var for loop in inner_loops(self.nest.body) if loop.mode == UNROLL and loop.clip):
            if not why_not_singly(self.nest, var):
                self.nest = singly(self.nest, var)
                self.note(f"whole tiles of {var} are told from the last one, whose rows are done one by one")

    def _whole_tiles(self) -> None:
        """Last tiles that are not full step back where that does no harm: then no tile is masked or clamped."""
        packed = {f"{var}.o": f"{var}.q" for _, var, _ in self.whole}
        for var in dict.fromkeys(loop.var for loop in inner_loops(self.nest.body) if loop.mode == UNROLL or loop.step > 1):
            tiles = (var, packed[var]) if var in packed else (var,)
            if not why_not_slide(self.nest, *tiles):
                self.nest = slide(self.nest, *tiles)
                what = "vector" if var.endswith(".u") else "tile"
                self.note(f"the last {what} of {var} steps back and is a whole one: nothing is masked")

    def _strip(self, common: list[Loop], vector: Loop, rows: list[Loop], tiles: Mapping[str, int], columns: int) -> int | None:
        """Rows of the strips in which the epilogue is to run; None for tile by tile."""
        if len(rows) != 1 or tiles.get(rows[0].var, 1) == 1:
            return None
        return strip_rows(self.nest, self.target, common, vector, rows[0], (tiles[rows[0].var], columns))

    def _strips(self, common: list[Loop], vector: Loop, row: Loop, tile_row: str, count: int, size: int) -> None:
        """Strips of rows outermost, then panels, then the tiles of the strip; their epilogues after all of them."""
        others = [loop.var for loop in common if loop.var not in (vector.var, row.var)]
        panel, rows = f"{vector.var}.o", f"{row.var}.i.o"
        units = [f"{vector.var}.i.u"] if count > 1 else []
        self.nest = reorder(self.nest, *others, f"{row.var}.o", panel, rows, tile_row, *units, f"{vector.var}.i.v")
        for var in (f"{vector.var}.i.v", *units, tile_row):
            self.nest = jam(self.nest, var)
        self.nest = strip(self.nest, panel, rows, tile_row)
        self.note(f"{size} rows of {row.var} keep their sums: the epilogue then runs along whole rows of memory")
        (over,) = inner_loops(common[-1].body)
        if chunkable(loops(self.nest, over.var), tile_row, f"{vector.var}.i.v"):
            self.nest = chunk(self.nest, over.var, panel, rows, CHUNK)
            self.note(f"{CHUNK} of {over.var} at a time, packed: both operands lie in the first-level cache for all tiles of the strip")

    def _panels_first(self, body: tuple[Stmt, ...], vector: Loop, rows: list[Loop], packed: list[tuple[str, str]],
                      common: list[Loop]) -> bool:
        """Whether panels are the outermost loop. Where an operand is packed they are, each being packed once, unless there are many
        rows and all of the operand may stay packed in the cache."""
        streams = self._streams(body, vector, rows)
        many = math.prod(divisor(loop.extent) for loop in common if loop.var != vector.var) >= MANY_ROWS
        if packed and many and not streams:
            self.whole = [(array, vector.var, over) for array, over in packed]
            return False
        return streams or bool(packed)

    def _pack_whole(self) -> None:
        for array, var, over in self.whole:
            lanes = int(str(loops(self.nest, f"{var}.i.v")[0].extent))
            self.nest = pack_all(self.nest, array, var, over, lanes)
            self.note(f"{array} is packed whole: its rows lie far apart, and many rows of the result read it")

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
        return Room(registers, (registers - 4) // blocks, blocks)

    def _blocks(self, common: list[Loop]) -> int:
        """Accumulators that are alive at once: the most that one body declares."""
        bodies = [common[-1].body, *(loop.body for loop in inner_loops(common[-1].body))]
        return max(_simultaneous(b) for b in bodies)

    def _row_axes(self, common: list[Loop], vector: Loop, body: tuple[Stmt, ...]) -> list[Loop]:
        """Common loops on which some load inside the reductions does not depend, the last first, until there are 8 rows.

        What does not move with the reduction either is loaded before it: rows need not share that."""
        summed = {loop.var for loop in inner_loops(body)}
        inner = [a for loop in body if isinstance(loop, Loop) for a in accesses(self.nest, (loop,))
                 if not a.store and any(a.depends_on(v) for v in summed)]
        rows: list[Loop] = []
        total = 1
        for loop in reversed(common):
            if loop.var == vector.var or total >= 8:
                continue
            if len(inner) > 1 and any(not a.depends_on(loop.var) and a.depends_on(vector.var) for a in inner):
                if rows and static(loop.extent) is None:
                    break
                rows.append(loop)
                total *= static(loop.extent) or 8
        return rows

    def _more_chains(self, body: tuple[Stmt, ...], ways: int) -> None:
        """Cuts the innermost reduced loops into `ways` independent sums, to hide the latency of an addition."""
        done = set()
        for loop in list(inner_loops(body)):
            if any(isinstance(s, Loop) for s in statements(loop.body)) or loop.var in done or guess(loop.extent) < 2 * ways:
                continue
            if not any(isinstance(s, Acc) for s in statements(body)) or ways < 2:
                continue
            if any(True for _ in all_stores(loop.body)):
                continue
            done.add(loop.var)
            self.nest = unroll(tile(self.nest, loop.var, ways), f"{loop.var}.i")
            self.nest = rfactor(self.nest, f"{loop.var}.i")
            self.note(f"{ways} sums side by side along {loop.var} hide the latency of one")

    # Panels whose lanes are an axis of large stride: operands packed, results transposed

    def _turned_panels(self, common: list[Loop], turned: Turned) -> None:
        vector, columns, over = turned.lanes.var, turned.columns.var, turned.over.var
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
            self.nest = pack(self.nest, array, vector, over, lanes)
            self.note(f"{array} is packed for each panel, so that lanes along {vector} lie side by side")
        self.note(f"vectors along {vector}: {lanes} lanes, {count} side by side; {width} columns of {columns}, stored transposed")
        if not others:
            self.nest = parallel(self.nest, f"{columns}.o")
            self.note(f"threads share {columns}.o; each packs for itself")

    # Rows: the reduced axis is the vector axis

    def _row(self, inner: set[str]) -> None:
        taken = self._free_rows(inner)
        innermost = [loop for loop in inner_loops(self.nest.body) if loop.var in inner and not any(
            isinstance(s, Loop) for s in statements(loop.body))]
        for var in dict.fromkeys(loop.var for loop in innermost):
            if var in taken:
                continue
            if len(loops(self.nest, var)) > sum(loop.var == var for loop in innermost):
                self.note(f"{var}: its loops hold other loops, so it is not cut into vectors")
                continue
            loop = next(x for x in innermost if x.var == var)
            found = accesses(self.nest, tuple(x for x in innermost if x.var == var))
            if any(a.store and a.coefficient(var) == 0 for a in found):
                self.note(f"{var}: stores do not move along it, so it is not cut into vectors")
                continue
            strided = [a for a in found if a.coefficient(var) not in (0, 1)]
            lanes = useful_lanes(self.nest, self.target, loop)
            extent = static(loop.extent)
            count = 4 if extent is None else min(4, -(-extent // lanes))
            if strided and len(strided) == sum(1 for a in found if a.coefficient(var) != 0):
                count = 1
            self._cut(var, lanes * count, lanes)
            parts = ([f"{var}.i.u"] if count > 1 else []) + [f"{var}.i.v"]
            self.nest = rfactor(self.nest, *parts)
            self.note(f"vectors along {var}, which is reduced: {lanes} lanes, {count} partial results side by side")

    def _free_rows(self, inner: set[str]) -> set[str]:
        """Cuts into vectors the axes along which memory is contiguous and whose loops hold others that sum nothing along them:
        what is inside (a reduction over another axis) is done for all lanes at once. Returns these axes and all inside them."""
        taken: set[str] = set()
        for loop in list(inner_loops(self.nest.body)):
            var = loop.var
            around = [x for x in loops(self.nest, var) if any(isinstance(s, Loop) for s in statements(x.body))]
            inside = {s.var for x in around for s in inner_loops(x.body)}
            if var not in inner or not around or {var, *inside} & taken or any(carried(x) for x in around):
                continue
            found = accesses(self.nest, tuple(loops(self.nest, var)))
            if any(a.coefficient(var) not in (0, 1) or indirect(a, self.nest, var) or (a.store and a.coefficient(var) == 0)
                   for a in found):
                continue
            lanes, extent = useful_lanes(self.nest, self.target, loop), static(loop.extent)
            count = 4 if extent is None else min(4, -(-extent // lanes))
            self._cut(var, lanes * count, lanes)
            parts = ([f"{var}.i.u"] if count > 1 else []) + [f"{var}.i.v"]
            if any(carried(x) for x in loops(self.nest, parts[-1])):
                self.nest = rfactor(self.nest, *parts)
            for part in reversed(parts):
                self.nest = jam(self.nest, part)
            taken |= {var, *inside}
            self.note(f"vectors along {var}, around {', '.join(sorted(inside))}: {lanes} lanes, {count} side by side")
        return taken

    # Threads

    def _share(self) -> None:
        """Marks outer loops as shared by threads, from the outermost, while a trip stays worth its overhead."""
        if any(loop.parallel for loop in inner_loops(self.nest.body)):
            return
        common = chain(self.nest.body)
        shared: list[str] = []
        ordered = self._ordered()
        for loop in common:
            trip = body_cost(loop.body)
            if loop.var in ordered:
                break
            if shared and trip < MIN_TRIP_COST:
                break
            shared.append(loop.var)
        for var in shared:
            self.nest = parallel(self.nest, var)
        self.note(f"threads share {' x '.join(shared)}" if shared else "no loop can be shared: one thread")


def _simultaneous(body: tuple[Stmt, ...]) -> int:
    return sum(isinstance(s, Acc) for s in body)
