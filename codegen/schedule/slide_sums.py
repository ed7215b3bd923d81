"""slide_sums: the sums of a last tile step back where its results are updated in place; its epilogue takes the rows that are its own.

    slide_sums(i.o)
        for i.o in 0..64 step 14                                      for i.o in 0..64 step 14 back i.b
          acc c[i.i<14]                                                 acc c[i.i<14]
          for k { each i.i<14 if i.o + i.i < 64 { c += x[i.o + ..] } }  for k { each i.i<14 { c += x[i.b + i.i] } }
          each i.i<14 { tile.c[i.i] = c }                       ->      each i.i<14 { tile.c[i.i] = c }
          for i.i in 0..14 if i.i + i.o < 64                            for i.i in 0..14 if i.i + i.o < 64
            w[i.o + i.i] = w[i.o + i.i] - tile.c[i.i]                     w[i.o + i.i] = w[i.o + i.i] - tile.c[i.i + i.o - i.b]

`slide` would do some rows twice, which an update may not. Here only sums are taken twice, and no row has an address of its own: of twelve
rows and more, that is more addresses than there are registers.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Expr, Load, rewrite
from ...ir.types import Dim
from ..nest import FOR, UNROLL, Acc, Accum, Let, Loop, Nest, Stmt, Store, all_loads, all_stores, loops, map_body, statements
from .loops import record, refuse


def slide_sums(nest: Nest, tiles: str) -> Nest:
    """Lets the sums of the last trip of the run-time loop `tiles` step back."""
    step = f"slide_sums({tiles})"
    refuse(step, why_not_slide_sums(nest, tiles))
    rows, back = f"{tiles[:-2]}.i", f"{tiles[:-2]}.b"
    moved, apart = {tiles: Aff.of(back)}, Aff.of({tiles: 1, back: -1})

    def summed(e: Expr) -> Expr | None:
        return Load(e.array, (e.index[0].substitute(moved),), e.dtype, e.guards, e.other) \
            if isinstance(e, Load) and e.array not in nest.scratch else None

    def kept(e: Expr) -> Expr | None:
        if not isinstance(e, Load) or e.array not in nest.scratch:
            return None
        return Load(e.array, (e.index[0] + apart * int(str(e.index[0].coefficient(rows))),), e.dtype, e.guards, e.other)

    def change(stmt: Stmt, epilogue: bool = False) -> Stmt:
        if isinstance(stmt, Loop):
            inside = epilogue or (stmt.var == rows and stmt.mode == FOR)
            changed = replace(stmt, body=tuple(change(s, inside) for s in stmt.body))
            if stmt.var == tiles:
                return replace(changed, back=back)
            return replace(changed, clip=None) if stmt.var == rows and not inside else changed
        if isinstance(stmt, Accum):
            return replace(stmt, expr=rewrite(stmt.expr, summed))
        return replace(stmt, expr=rewrite(stmt.expr, kept)) if epilogue and isinstance(stmt, (Let, Store)) else stmt

    return record(nest, map_body(nest.body, lambda s: (change(s),) if isinstance(s, Loop) and s.var == tiles else None), step)


def why_not_slide_sums(nest: Nest, tiles: str) -> str:
    """What stands against `slide_sums`; '' for nothing."""
    found, rows = loops(nest, tiles), f"{tiles[:-2]}.i"
    if not found or not tiles.endswith(".o"):
        return f"nest {nest.name} has no tiles {tiles}"
    for tile in found:
        extent, step = tile.extent, tile.step
        if isinstance(extent, Dim) or extent <= step or extent % step == 0 or tile.clip or tile.back or tile.mode != FOR:
            return f"{tiles} is not of a static extent that ends in a part of a tile"
        own = [s for s in statements(tile.body) if isinstance(s, Loop) and s.var == rows]
        clips = {s.clip.extent for s in own if s.clip and s.clip.base == Aff.of(tiles)}
        if clips != {extent} or any(s.clip and s.clip.base != Aff.of(tiles) for s in own):
            return f"{rows} does not end with {tiles}"
        if reason := _why_not(nest, tile, rows):
            return reason
    return "" if any(_epilogue(tile, rows) for tile in found) else "no epilogue takes the sums from private memory, row by row"


def _epilogue(tile: Loop, rows: str) -> list[Loop]:
    return [s for s in statements(tile.body) if isinstance(s, Loop) and s.var == rows and s.mode == FOR]


def _why_not(nest: Nest, tile: Loop, rows: str) -> str:
    epilogue = _epilogue(tile, rows)
    later = {id(s) for loop in epilogue for s in (loop, *statements(loop.body))}
    for s in statements(tile.body):
        if isinstance(s, Loop) and id(s) not in later:
            other = s.clip is not None and s.var != rows and tile.var in s.clip.base.variables
            if other or (s.mode == UNROLL and s.var == rows and any(x.array not in nest.scratch for x in all_stores(s.body))):
                return "rows are stored where they are summed" if not other else f"{s.var} ends with {tile.var}"
        if isinstance(s, Accum) and any(g.index.coefficient(tile.var) != 0 for load in all_loads((s,)) for g in load.guards
                                        if load.array not in nest.scratch):
            return "a guard decides by rows"
    private = {load.array for loop in epilogue for load in all_loads(loop.body)} & nest.scratch.keys()
    if not all(load.index[0].coefficient(rows) != 0 and tile.var not in load.index[0].variables
               for loop in epilogue for load in all_loads(loop.body) if load.array in private):
        return "the epilogue takes sums that are not its tile's own"
    return "" if any(isinstance(s, Acc) for s in statements(tile.body)) else f"{tile.var} sums nothing"
