"""Whether the epilogue of a register tile is written out for every vector, or runs as a loop over a private copy of the sums."""

from __future__ import annotations

from kcompile.common.struct import replace

from ..ir.scalar import Ref
from .access import expr_cost
from .nest import FOR, VECTOR, Acc, Let, Loop, Nest, Stmt, Store, statements
from .schedule.stash import row_length, stash, stash_flat, stash_turned

WRITTEN_OUT = 160  # about as many instructions: more are not written out


def is_dear(body: tuple[Stmt, ...], vectors: int = 8) -> bool:
    """Whether what follows the sums of a nest would not be written out for a tile of so many vectors."""
    return vectors * sum(expr_cost(s.expr) for s in body if isinstance(s, (Let, Store))) > WRITTEN_OUT


def settle_epilogue(nest: Nest, rows: tuple[str, ...], vectors: int) -> Nest:
    """The nest with its dear epilogue made a loop over `rows` (outermost first); unchanged where the epilogue is cheap."""
    found = [loop for loop in _groups(nest) if loop.var == rows[0]] if rows else []
    if len(found) != 1:
        return nest
    statements_inside = [s for s in statements(found[0].body) if not isinstance(s, Loop)]
    if not all(isinstance(s, (Let, Store)) for s in statements_inside):
        return nest
    instances = vectors
    for loop in (found[0], *(s for s in statements(found[0].body) if isinstance(s, Loop))):
        instances *= int(str(loop.extent)) if loop.var in rows else 1
    cost = sum(expr_cost(s.expr) for s in statements_inside if isinstance(s, (Let, Store)))
    if cost * instances <= WRITTEN_OUT:
        return nest
    lanes = next((s.var for s in statements(found[0].body) if isinstance(s, Loop) and s.mode == VECTOR), "")
    if length := row_length(nest, found[0], lanes):
        note = f"the epilogue (cost {cost}) runs along rows of {length}, which are one piece of memory"
        return replace(stash_flat(nest, rows[0], lanes), notes=(*nest.notes, note))
    nest = stash(nest, *rows)
    return replace(nest, notes=(*nest.notes, f"the epilogue (cost {cost}) runs as a loop over rows, not written out {instances} times"))


def turned_epilogue(nest: Nest, columns: str, lanes: str) -> Nest | None:
    """The nest with the epilogue of a turned tile run row by row; None where the sums are only stored, which transposes as well."""
    inside = [s for loop in _groups(nest) for s in statements(loop.body) if not isinstance(s, Loop)]
    if len(inside) == 1 and isinstance(inside[0], Store) and isinstance(inside[0].expr, Ref):
        return None
    nest = stash_turned(nest, columns, lanes)
    return replace(nest, notes=(*nest.notes, f"the tile is turned before its epilogue, which runs along {columns}"))


def _groups(nest: Nest) -> list[Loop]:
    """The unrolled groups that store and belong to a tile with accumulators."""
    out: list[Loop] = []

    def visit(body: tuple[Stmt, ...]) -> None:
        sums = any(isinstance(s, Acc) for s in body)
        for s in body:
            if isinstance(s, Loop) and s.mode == FOR:
                visit(s.body)
            elif isinstance(s, Loop) and sums and any(isinstance(x, Store) for x in statements(s.body)):
                out.append(s)

    visit(nest.body)
    return out
