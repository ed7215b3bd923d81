"""across: the rows of a tile, each a sum cut into lanes, are the lanes of what follows the sums.

    each x.i<14                          each x.i:vec16 if x.i < 14
      fold s = s.p over o.v        ->      fold s = s.p over o.v
      y[x.i] = max(s, 0.0)                 y[x.i] = max(s, 0.0)

Row by row each sum is folded by itself, with as many shuffles as halvings, and what follows is computed for one element at a time. Side by
side, a halving puts the halves of two sums into one vector: sixteen sums of sixteen lanes take fifteen shuffles of two vectors, and the
results lie in lanes. Each sum is added up in the same order as by itself.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff
from ..nest import UNROLL, VECTOR, Clip, Fold, Let, Loop, Nest, Stmt, Store, loops, map_body
from .loops import record, refuse


def across(nest: Nest, rows: str) -> Nest:
    """Makes the unrolled loops over `rows` that fold sums into vectors; those of a single row stay as they are."""
    step = f"across({rows})"
    refuse(step, why_not_across(nest, rows))

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or stmt.var != rows or not _folds(stmt):
            return None
        count = int(str(stmt.extent))
        lanes = 1 << (count - 1).bit_length()
        clip = Clip(Aff(), count) if lanes > count else stmt.clip
        return (replace(stmt, mode=VECTOR, extent=lanes, clip=clip) if count > 1 else stmt,)

    return record(nest, map_body(nest.body, change), step)


def why_not_across(nest: Nest, rows: str) -> str:
    """What stands against `across`; '' for nothing."""
    found = [loop for loop in loops(nest, rows) if _folds(loop)]
    if not any(loop.extent != 1 for loop in found):
        return f"no loop over several of {rows} folds sums"
    for loop in found:
        inside = [s for s in loop.inside if not isinstance(s, Loop)]
        count = int(str(loop.extent))
        if loop.mode != UNROLL or loop.step != 1 or any(isinstance(s, Loop) and s.mode != UNROLL for s in loop.inside):
            return f"what {rows} folds is no unrolled group"
        if loop.clip and count & (count - 1):
            return f"{rows} ends early, and {count} rows are no vector"
        if any(isinstance(s, Fold) and rows in s.over for s in inside):
            return f"sums are folded along {rows}"
        if any(not isinstance(s, (Fold, Let, Store)) or (isinstance(s, Let) and s.index) for s in inside):
            return f"more than values follows the sums of {rows}"
        if any(isinstance(s, Store) and (s.accumulate or rows not in s.index.variables) for s in inside):
            return f"what is stored does not move along {rows}"
    return ""


def _folds(loop: Loop) -> bool:
    return any(isinstance(s, Fold) for s in loop.inside)
