"""Products in which neighbouring lanes may take terms of the sum side by side: see schedule/abreast.py."""

from __future__ import annotations

import math
from itertools import pairwise

from kcompile.common.struct import struct

from ..ir.scalar import Apply, loads_in
from ..ir.types import f32
from .access import accesses, divisor, expr_cost, inner_loops, static
from .nest import FOR, Acc, Accum, Let, Loop, Nest, Store, statements
from .target import Target

WAYS = (2, 4)  # terms that a load brings to all lanes
FOLD = 1  # multiply-adds that it takes to add one of them to the others, once for each vector of a tile
LEAST_TRIPS = 3
LEAST_ROWS = 4  # of a tile: vectors come from the second-level cache, which brings no more than a line in two cycles
MANY_ROWS = 64  # rows at the least, for which packing the other operand is nothing
PANELS_BYTES = 768 << 10  # of all panels at most: they lie on the stack of a worker
WORTH = 0.97  # of the time that a tile takes
WORTH_MORE = 0.98  # and of that with fewer terms side by side


@struct(frozen=True)
class Terms:
    """`array`: the operand along the lanes, to be packed; `over`: the loops that sum, outermost first; `count`: terms of the innermost;
    `depth`: of all; `after`: about as many instructions follow the sum of a vector, beside loads and stores."""

    array: str
    over: tuple[str, ...]
    count: int
    depth: int
    after: int

    def dear(self, ways: int) -> float:
        """What a sum costs beside its products if `ways` terms are side by side, as a factor: places of terms that are not there, adding
        up in the end, and what follows, which has vectors of so many fewer columns."""
        trips = -(-self.count // ways)
        if trips < LEAST_TRIPS:
            return math.inf
        return trips * ways / self.count + (FOLD * ways + self.after) * ways / self.depth


def find_terms(nest: Nest, common: list[Loop], vector: Loop, target: Target) -> Terms | None:
    """The sum of a tile with lanes along `vector`, if its terms may lie side by side."""
    body = common[-1].body
    sums = [loop for loop in inner_loops(body) if loop.mode == FOR]
    accs = [s for s in statements(body) if isinstance(s, Acc)]
    added = [s for s in statements(body) if isinstance(s, Accum)]
    if not sums or len(accs) != 1 or len(added) != 1 or (accs[0].op, accs[0].dtype) != ("add", f32) or accs[0].folded:
        return None
    product, last = added[0].expr, sums[-1]
    loads = [a for a in accesses(nest, (sums[0],)) if not a.store]
    chained = all(inner in outer.body and len(outer.body) == 1 for outer, inner in pairwise(sums))
    if not isinstance(product, Apply) or product.fn != "mul" or len(loads) != 2 or not chained or not last.plain or len(last.body) != 1:
        return None
    along = [a for a in loads if a.depends_on(vector.var)]
    others = {loop.var for loop in common} - {vector.var}
    if len(along) != 1 or any(a.dtype != f32 for a in loads):
        return None
    (packed,), (shared,) = along, [a for a in loads if a is not along[0]]
    extents, columns = [static(loop.extent) for loop in sums], static(vector.extent)
    if packed.guards or any(map(packed.depends_on, others)) or packed.coefficient(vector.var) != 1 or packed.array not in nest.arrays \
            or shared.coefficient(last.var) != 1 or any(last.var in g.index.variables for g in shared.guards) \
            or not all(packed.coefficient(loop.var) for loop in sums) or None in extents or columns is None:
        return None
    depth = math.prod(n or 0 for n in extents)
    rows = math.prod(divisor(loop.extent) for loop in common if loop.var != vector.var)
    size = depth * columns * f32.size
    if size > min(target.l2 * 3 // 4, PANELS_BYTES) or rows < MANY_ROWS or -(-(extents[-1] or 0) // min(WAYS)) < LEAST_TRIPS:
        return None
    after = sum(expr_cost(s.expr) - 1 - len(loads_in(s.expr)) for s in body if isinstance(s, (Let, Store)))
    return Terms(packed.array, tuple(loop.var for loop in sums), extents[-1] or 0, depth, after)
