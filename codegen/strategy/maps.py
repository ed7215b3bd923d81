"""Maps: kernels without a reduction inside. The vector axis is the one that costs least."""

from __future__ import annotations

from ..access import leaf_cost, static, useful_lanes
from ..nest import Loop
from ..packing import store_columns
from ..schedule import reorder, tile, transpose, unroll
from .base import Scheduling


class Maps(Scheduling):
    """Each element on its own."""

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

    def _map_turned(self, common: list[Loop], vector: Loop, columns: Loop, lanes: int) -> None:
        """Reads along one axis, stores along another: blocks transposed in registers."""
        self._cut(vector.var, lanes, lanes)
        self.nest = unroll(tile(self.nest, columns.var, lanes), f"{columns.var}.i")
        others = [x.var for x in common if x.var not in (vector.var, columns.var)]
        self.nest = reorder(self.nest, *others, f"{vector.var}.o", f"{columns.var}.o", f"{columns.var}.i", f"{vector.var}.i.v")
        self.nest = transpose(self.nest, f"{columns.var}.i", f"{vector.var}.i.v")
        self.note(f"blocks of {lanes} x {lanes} are transposed in registers: read along {vector.var}, stored along {columns.var}")
