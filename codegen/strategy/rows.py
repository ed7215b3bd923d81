"""Rows: nothing common suits the lanes, so the reduced axis itself is cut into them."""

from __future__ import annotations

from ..access import accesses, indirect, inner_loops, static, useful_lanes
from ..nest import Loop, loops, statements
from ..schedule import jam, rfactor
from ..schedule.accumulate import carried
from .crossed import Crossed


class Rows(Crossed):
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

    def _free_rows(self, inner: set[str]) -> set[str]:
        """Cuts into vectors the axes along which memory is contiguous and whose loops hold others that sum nothing along them:
        what is inside (a reduction over another axis) is done for all lanes at once. Returns these axes and all inside them."""
        taken: set[str] = set()
        uncut = self.nest  # an axis that was cut has other names
        for loop in list(inner_loops(uncut.body)):
            var = loop.var
            around = [x for x in loops(self.nest, var) if any(isinstance(s, Loop) for s in statements(x.body))]
            inside = {s.var for x in loops(uncut, var) for s in inner_loops(x.body)}
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
