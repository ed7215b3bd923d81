"""Rows: nothing common suits the lanes, so the reduced axis itself is cut into them."""

from __future__ import annotations

from ...ir.types import DimLike
from ..access import accesses, chain, indirect, inner_loops, static, useful_lanes
from ..epilogue import is_dear
from ..nest import Acc, Accum, Loop, loops, statements
from ..schedule import jam, reorder, rfactor, tile, unroll
from ..schedule.accumulate import carried
from ..tiles import CLAMPED_ROWS, wasted
from .base import Scheduling

LONG_SUM = 8  # vectors of a sum, below which folding its lanes is most of the work


class Rows(Scheduling):
    """Sums cut into lanes."""

    def _row(self, inner: set[str]) -> None:
        if self._crossed():
            return
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

    def _crossed(self) -> bool:
        """Tiles of the rows of two operands, of which each is read once for all of the other: a product of which both move along the sum
        alone, and nothing else suits the lanes. Else each result would load two vectors for each multiply-add."""
        common = chain(self.nest.body)
        body = common[-1].body if common else ()
        sums = [s for s in body if isinstance(s, Loop)]
        if len(sums) != 1 or not isinstance(body[0], Acc) or not sums[0].plain or [type(s) for s in sums[0].body] != [Accum]:
            return False
        (over,), extent = sums, static(sums[0].extent) or 0
        loads = [a for a in accesses(self.nest, (over,)) if not a.store]
        lanes = useful_lanes(self.nest, self.target, over)
        if len(loads) != 2 or extent < LONG_SUM * lanes or any(a.coefficient(over.var) != 1 or a.guards for a in loads):
            return False
        first, second = (next((x for x in reversed(common) if a.depends_on(x.var) and not b.depends_on(x.var)), None)
                         for a, b in (loads, loads[::-1]))
        if first is None or second is None or is_dear(body):
            return False
        sides = dict(zip((first.var, second.var), _sides(first.extent, second.extent, self.target.registers), strict=True))
        if min(sides.values()) < 2:
            return False
        self._cut(over.var, lanes, lanes)
        self.nest = rfactor(self.nest, f"{over.var}.i.v")
        order, inside = [], []
        for loop in common:
            if (size := sides.get(loop.var, 1)) > 1 and static(loop.extent) != size:
                self.nest = tile(self.nest, loop.var, size)
                order.append(f"{loop.var}.o")
            elif size == 1:
                order.append(loop.var)
            if size > 1:
                inside.append(loop.var if static(loop.extent) == size else f"{loop.var}.i")
                self.nest = unroll(self.nest, inside[-1])
        self.nest = reorder(self.nest, *order, *inside)
        for name in reversed(inside):
            self.nest = jam(self.nest, name)
        self.tiled = inside
        self.note(f"vectors along {over.var}, which is reduced: {lanes} lanes, for " + " by ".join(
            f"{size} of {var}" for var, size in sides.items()) + " at a time")
        return True

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


def _sides(first: DimLike, second: DimLike, registers: int) -> tuple[int, int]:
    """Rows of two operands in a tile of sums: as many products for each load as registers allow."""
    def worth(sides: tuple[int, int]) -> float:
        a, b = sides
        return a * b / ((a + b) * wasted(first, a) * wasted(second, b))
    return max(((a, b) for a in range(1, CLAMPED_ROWS + 1) for b in range(1, CLAMPED_ROWS + 1) if a * b + min(a, b) + 1 <= registers - 2),
               key=worth)
