"""stream: the vectors of a tile pass by one at a time, beside rows that are held.

    stream(o.i.u)    each y<3, o.i.u<4, o.i.v:vec8       ->    each o.i.u<4, y<3, o.i.v:vec8
                       c add= x[.. y ..] * w[.. o.i.u ..]        c add= x[.. y ..] * w[.. o.i.u ..]

Row by row all vectors of a tile are in registers beside one value of a row; vector by vector all values of its rows are, and one vector.
Where a tile has more vectors than rows that takes fewer registers: four vectors and three rows, 12 sums, are 16 in place of 17.
"""

from __future__ import annotations

import math

from kcompile.common.struct import replace

from ..nest import UNROLL, VECTOR, Acc, Accum, Loop, Nest, Stmt, all_loads, map_body, statements
from .loops import ScheduleError, record


def stream(nest: Nest, units: str) -> Nest:
    """Puts the unrolled loop `units` over the vectors of a tile before those over its rows, where products are summed."""
    step, changed = f"stream({units})", False
    sums = _dimensions(nest)

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal changed
        group, before = _group(stmt, sums)
        rows = group[before:]
        vectors = next((loop for loop in rows if loop.var == units), rows[0] if rows else None)
        if vectors is None or vectors is rows[0]:
            return None
        changed, body = True, group[-1].body
        for loop in reversed([*group[:before], vectors, *(loop for loop in rows if loop is not vectors)]):
            body = (replace(loop, body=body),)
        return body

    body = map_body(nest.body, change)
    if not changed:
        raise ScheduleError(f"{step}: no products are summed row by row for vectors that {units} counts")
    return record(nest, body, step)


def too_many_vectors(nest: Nest, registers: int) -> list[str]:
    """Loops over the vectors of tiles of which the sums leave registers for the rows, but not for all of the vectors."""
    found, sums = {}, _dimensions(nest)
    for stmt in statements(nest.body):
        group, before = _group(stmt, sums)
        if [loop.mode for loop in group[before:]][-2:] != [UNROLL, VECTOR]:
            continue
        *rows, count = [-(-int(str(loop.extent)) // loop.step) for loop in group[before:-1]]
        height = math.prod(rows)
        if 1 < height < count and count * (height + 1) + 1 > registers >= (count + 1) * height + 1:
            found[group[-2].var] = True
    return list(found)


def is_streamed(over: Loop) -> bool:
    """Whether the vectors of products that a loop sums pass by: they move with an unrolled loop, but not with the innermost one."""
    *_, rows, lanes = [None, None, *(s for s in over.inside if isinstance(s, Loop))]
    if rows is None or lanes is None or lanes.mode != VECTOR:
        return False
    moving = {var for load in all_loads(over.body) if load.index[0].coefficient(lanes.var) != 0 for var in load.index[0].variables}
    return rows.var not in moving and any(s.var in moving for s in over.inside if isinstance(s, Loop) and s.mode == UNROLL)


def _dimensions(nest: Nest) -> dict[str, set[str]]:
    """What counts the sums of that name, in whole tiles or in last ones."""
    found: dict[str, set[str]] = {}
    for s in statements(nest.body):
        if isinstance(s, Acc):
            found.setdefault(s.name, set()).update(d.var for d in s.dims)
    return found


def _group(stmt: Stmt, sums: dict[str, set[str]]) -> tuple[list[Loop], int]:
    """The unrolled loops, and that over the lanes, around a statement that sums and nothing else, and how many of them, the first ones,
    count terms; none where there is more, or where others count terms, too."""
    found: list[Loop] = []
    while isinstance(stmt, Loop) and stmt.mode in (UNROLL, VECTOR) and len(stmt.body) == 1:
        found.append(stmt)
        stmt = stmt.body[0]
    if not isinstance(stmt, Accum):
        return [], 0
    of = [loop.var in sums[stmt.name] for loop in found]
    before = of.index(True) if True in of else len(found)
    return (found, before) if all(of[before:]) else ([], 0)
