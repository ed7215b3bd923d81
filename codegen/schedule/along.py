"""along: the first tile of rows packs the panel that it reads, for the tiles that follow.

    for i.m in 0..1 if 7 <= B                                          for i.m in 0..1 if 7 <= B
      for k.p { each j.p.v:vec8 { pack.w[8*k.p + j.p.v] = w[...] } }     for i.o in 0..B step 6
      for i.o in 0..B step 6                                        ->     for i.a in 0..1 if i.o < 1
        acc c                                                                acc c
        for k { c += x[...] * pack.w[8*k + j.i.v] }                          for k
        y = c                                                                  each j.i.v:vec8 { pack.w[8*k + j.i.v] = w[...] }
                                                                               c += x[...] * w[...]
                                                                             y = c
                                                                           for i.n in 0..1 if 1 <= i.o
                                                                             acc c
                                                                             for k { c += x[...] * pack.w[8*k + j.i.v] }
                                                                             y = c

What is packed is loaded once less, and stored while the tile multiplies, which leaves the ports of stores idle. `unpacked` has told
before that there are more rows than the first tile takes. (Before the loop, in place of inside it, the tile's epilogue would have its
constants in registers, where LLVM keeps them for the epilogues in the loop, beside all sums.)
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Load
from ..nest import FOR, UNROLL, VECTOR, Accum, Clip, Loop, Nest, Stmt, Store, all_stores, loops, map_body, statements, substitute
from .loops import record, refuse
from .unpacked import in_tiles, is_home, parts


def along(nest: Nest, array: str, rows: str) -> Nest:
    """Lets the first tile of `rows` pack the panels of the array, where `unpacked` has told few rows from more."""
    step = f"along({array}, {rows})"
    refuse(step, why_not_along(nest, array, rows))
    (home,) = _homes(nest, array)
    (whole,) = _whole_tiles(nest, rows, f"{rows}.f")
    copy, (tiles,) = parts(home.body, array)
    assert isinstance(tiles, Loop)
    (store,) = all_stores((copy,))
    assert isinstance(store, Store) and isinstance(store.expr, Load)
    kept = replace(store, index=in_tiles(store.index, (tiles,)),
                   expr=replace(store.expr, index=(in_tiles(store.expr.index[0], (tiles,)),)))
    here = Aff.of(tiles.var)
    body = map_body(substitute(whole.body, {whole.var: Aff()}), lambda s: _storing(s, kept))
    first = Loop(f"{rows}.a", 1, body, clip=Clip(here, 1))
    others = Loop(f"{rows}.n", 1, tiles.body, clip=Clip(here * -1 + 1, 1))

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (replace(home, body=(replace(tiles, body=(first, others)),)),) if stmt is home else None
    return record(nest, map_body(nest.body, change), step)


def why_not_along(nest: Nest, array: str, rows: str) -> str:
    """What stands against `along`; '' for nothing."""
    homes, whole = _homes(nest, array), _whole_tiles(nest, rows, f"{rows}.f")
    if len(homes) != 1 or homes[0].var != f"{rows}.m" or len(whole) != 1:
        return f"few rows of {rows} are not told from more (unpacked), or whole tiles not from the last one (singly)"
    home = homes[0]
    _, tiles = parts(home.body, array)
    if len(tiles) != 1 or not isinstance(tiles[0], Loop) or tiles[0].var != f"{rows}.o":
        return f"the panels of {array} are not read by tiles of {rows} alone"
    if not any(isinstance(s, Loop) and s.var == f"{rows}.w" for s in tiles[0].body):
        return f"other loops go through the tiles of {rows}: the first of them reads but a part of a panel, or is one of many"
    least = (home.clip.base + tiles[0].extent).const if home.clip else 0  # so many rows there are
    if not isinstance(least, int) or least < tiles[0].step:
        return f"the first tile of {rows} may not be a whole one"
    return ""


def _homes(nest: Nest, array: str) -> list[Loop]:
    return [s for s in statements(nest.body) if isinstance(s, Loop) and is_home(s, array)]


def _whole_tiles(nest: Nest, rows: str, few: str) -> list[Loop]:
    """The whole tiles of the rows that read panels where they lie."""
    return [s for loop in loops(nest, few) for s in loop.inside if isinstance(s, Loop) and s.var == f"{rows}.w"]


def _storing(stmt: Stmt, kept: Store) -> tuple[Stmt, ...] | None:
    """The innermost loop of a sum, which stores the vectors that it is about to multiply."""
    if not isinstance(stmt, Loop) or stmt.mode != FOR or any(isinstance(s, Loop) and s.mode == FOR for s in stmt.inside) \
            or not any(isinstance(s, Accum) for s in stmt.inside):
        return None
    moving = [s for s in stmt.inside if isinstance(s, Loop) and s.mode in (UNROLL, VECTOR) and kept.index.coefficient(s.var) != 0]
    body: tuple[Stmt, ...] = (kept,)
    for loop in reversed(moving):
        body = (replace(loop, body=body),)
    return (replace(stmt, body=(*body, *stmt.body)),)
