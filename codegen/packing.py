"""Which operands of a contraction are copied to private memory, and which results are turned on their way out.

`find_turned`: no axis suits the lanes as memory lies, but one would if small operands were packed and results transposed.
`far_rows`: the lanes suit, but the rows of the operand lie pages apart and are read often.
"""

from __future__ import annotations

import math

from kcompile.common.struct import struct

from ..ir.types import Dim, DimLike
from .access import accesses, divisor, guess, indirect, static, useful_lanes
from .nest import Loop, Nest, Stmt, loops, statements
from .target import Target

PACKED_BYTES = 320 << 10  # a packed panel lies on the stack of a worker, and should stay in the second-level cache
PART = 128  # terms of a long sum of which operands are packed at a time
FAR_APART = 1024  # bytes between rows from which on no prefetcher follows a panel and its rows get in each other's way in the caches
FAR_ROWS_READ = 128  # rows of the result for which packing a panel pays; an unknown number is taken for so many


@struct(frozen=True)
class Turned:
    """Lanes along one common loop, results stored along another, the loops that sum, outermost first, and the operands to be packed."""

    lanes: Loop
    columns: Loop
    over: tuple[Loop, ...]
    packed: tuple[str, ...]


def part_of(extent: DimLike) -> int:
    """Terms of a sum of which operands are packed at a time: parts that surely are whole, if there are such."""
    known = divisor(extent) if isinstance(extent, Dim) else int(extent)
    return next((n for n in range(PART, PART // 2, -1) if known % n == 0), PART)


def store_columns(nest: Nest, common: list[Loop], lanes: Loop) -> Loop | None:
    """The loop along which every store is contiguous, where `lanes` is another."""
    stores = [a for a in accesses(nest, common[-1].body) if a.store]
    if any(a.coefficient(lanes.var) in (0, 1) or indirect(a, nest, lanes.var) for a in stores):
        return None
    return next((x for x in common if x.var != lanes.var and all(a.coefficient(x.var) == 1 for a in stores)), None)


def find_turned(nest: Nest, common: list[Loop], target: Target, packs: bool = True) -> Turned | None:
    """A common loop to be the lanes although memory is not contiguous along it: strided operands that do not move along
    the columns of the result can be packed, and results are transposed as they are stored. `packs`: whether any may be packed; if not,
    no guard is to decide lane by lane, and sums need not have all their terms."""
    body = common[-1].body if common else ()
    inner = [s for s in body if isinstance(s, Loop)]
    sums = _sums(inner[0]) if len(inner) == 1 else ()
    if not sums or (packs and any(loop.where for loop in sums)):
        return None
    extents = [static(loop.extent) for loop in sums]
    depth = None if None in extents else math.prod(n or 0 for n in extents)
    loads = [a for a in accesses(nest, tuple(inner)) if not a.store]
    for loop in common:
        columns = store_columns(nest, common, loop)
        if columns is None or guess(loop.extent) < 8:
            continue
        strided = [a for a in loads if a.depends_on(loop.var) and a.coefficient(loop.var) != 1]
        if not packs and (strided or any(loop.var in g.index.variables for a in loads for g in a.guards)):
            continue
        size = 2 * useful_lanes(nest, target, loop) * (depth or 0) * max((a.dtype.size for a in strided), default=0)
        if any(a.depends_on(columns.var) or a.guards or a.coefficient(sums[-1].var) != 1 or depth is None or size > PACKED_BYTES
               for a in strided) or len({a.array for a in strided}) != len(strided):
            continue
        if any(indirect(a, nest, loop.var) or (a.depends_on(loop.var) and a.depends_on(columns.var)) for a in loads):
            continue
        return Turned(loop, columns, sums, tuple(a.array for a in strided))
    return None


def _sums(outer: Loop) -> tuple[Loop, ...]:
    """The loops that sum, one inside the other; () where there are others beside one."""
    sums = [outer]
    while len(sums[-1].body) == 1 and isinstance(sums[-1].body[0], Loop):
        sums.append(sums[-1].body[0])
    return () if any(isinstance(s, Loop) for s in statements(sums[-1].body)) else tuple(sums)


def far_rows(nest: Nest, common: list[Loop], body: tuple[Stmt, ...], vector: Loop, width: int,
             target: Target) -> list[tuple[str, tuple[str, ...]]]:
    """The operand along the lanes, with the loops to be summed over, where its rows are pages apart and are read often.

    One that holds still is packed but once. It need not be read often, and the rows of a large one need not be so far apart: a panel
    between others has but a part of the cache's sets."""
    inside = [s for s in body if isinstance(s, Loop)]
    others = [loop.var for loop in common if loop.var != vector.var]
    often = math.prod(static(loop.extent) or FAR_ROWS_READ for loop in common if loop.var != vector.var) >= FAR_ROWS_READ
    extent = static(vector.extent) or 0
    if len(inside) != 1 or extent < 2 * width:
        return []
    sums = _sums(inside[0])
    if not sums or any(static(loop.extent) is None or len(loops(nest, loop.var)) != 1 for loop in sums):
        return []
    depth = math.prod(static(loop.extent) or 1 for loop in sums)
    loads = [a for a in accesses(nest, (inside[0],)) if not a.store]
    found = [a for a in loads if a.coefficient(vector.var) == 1 and not a.guards and not any(a.depends_on(v) for v in others)]
    if len(found) != 1:
        return []
    stride, size = found[0].coefficient(sums[-1].var), found[0].dtype.size
    far = isinstance(stride, int) and stride * size >= FAR_APART
    if found[0].array in nest.still:
        far = far or depth * extent * size > target.l2 // 4
    elif not often or extent < 8 * width or depth * width * size > PACKED_BYTES:
        far = False
    return [(found[0].array, tuple(loop.var for loop in sums))] if far else []
