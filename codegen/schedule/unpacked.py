"""unpacked: where there are few rows, a panel is read where it lies and not packed.

    for k.p { each j.p.v:vec8 { pack.w[8*k.p + j.p.v] = w[...] } }         for i.f in 0..1 if B < 65
    for i.o in 0..B step 6                                                  for i.o in 0..B step 6 { ... w[512*k + j.o + j.i.v] ... }
      for k { ... pack.w[8*k + j.i.v] ... }                          ->  for i.m in 0..1 if 65 <= B
                                                                            for k.p { ... }
                                                                            for i.o in 0..B step 6 { ... pack.w[8*k + j.i.v] ... }

A packed panel is read as often as there are tiles of rows; to pack it takes as long as two or three of them. How many there are is known
when the kernel runs. Both ways sum the same terms in the same order.
"""

from __future__ import annotations

import math

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Expr, Load, rewrite
from ...ir.types import Dim, DimLike
from ..access import divisor
from ..nest import FOR, Acc, Accum, Clip, Loop, Nest, Stmt, Store, all_loads, all_stores, loops, map_body, statements
from .loops import record, refuse


def unpacked(nest: Nest, array: str, rows: str, few: str | int) -> Nest:
    """Up to `few` rows along `rows.o`, which is as long as the batch: the panels that `pack` copies are read where they lie."""
    few = int(few)
    step = f"unpacked({array}, {rows}, {few})"
    refuse(step, why_not_unpacked(nest, array, rows))
    (outer,) = loops(nest, f"{rows}.o")
    length = Aff.of(0) + outer.extent

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or not is_home(stmt, array):
            return None
        copy, tiles = parts(stmt.body, array)
        directly = Loop(f"{rows}.f", 1, _read_in_place(copy, tiles, array), clip=Clip(length, few + 1))
        packed = Loop(f"{rows}.m", 1, stmt.body, clip=Clip(length * -1 + (few + 1), 1))
        return (replace(stmt, body=(directly, packed)),)

    return record(nest, map_body(nest.body, change), step)


def why_not_unpacked(nest: Nest, array: str, rows: str) -> str:
    """What stands against `unpacked`; '' for nothing."""
    outer = loops(nest, f"{rows}.o")
    homes = [s for s in statements(nest.body) if is_home(s, array)]
    if len(homes) != 1 or not isinstance(homes[0], Loop):
        return f"nest {nest.name} packs no panels of {array} one by one"
    if len(outer) != 1 or not isinstance(outer[0].extent, Dim) or divisor(outer[0].extent) != 1:
        return f"{rows} is not as long as the batch: how often a panel is read is known when it is compiled"
    copy, tiles = parts(homes[0].body, array)
    stores = list(all_stores((copy,)))
    if len(stores) != 1 or not isinstance(stores[0], Store) or not isinstance(stores[0].expr, Load) or outer[0] not in statements(tiles):
        return f"the panels of {array} are turned when they are packed, or not read by tiles of {rows}"
    places = {load.index[0] for load in all_loads(tiles) if load.array == stores[0].array}
    if places != {in_tiles(stores[0].index, tiles)}:
        return f"the panels of {array} are read at other places than they are packed at"
    return ""


def row_stride(nest: Nest, array: str) -> DimLike:
    """By how many elements the rows of a panel lie apart, where the array is packed panel by panel."""
    (home,) = (s for s in statements(nest.body) if isinstance(s, Loop) and is_home(s, array))
    copy, _ = parts(home.body, array)
    rows = [s for s in (copy, *copy.inside) if isinstance(s, Loop) and s.mode == FOR]
    (load,) = all_loads((copy,))
    return load.index[0].coefficient(rows[-1].var)


def reads_for_a_row(nest: Nest, array: str, rows: str) -> int:
    """How often a panel is read for one tile of `rows`: at each place of an image, where these are images."""
    (home,) = (s for s in statements(nest.body) if isinstance(s, Loop) and is_home(s, array))
    _, tiles = parts(home.body, array)
    around = [s for s in statements(tiles) if isinstance(s, Loop) and s.mode == FOR and any(isinstance(x, Acc) for x in s.inside)]
    return math.prod(-(-s.extent // s.step) for s in around if isinstance(s.extent, int) and not s.var.startswith(f"{rows}."))


def is_home(stmt: Stmt, array: str) -> bool:
    """Whether a loop packs a panel in each of its trips."""
    return isinstance(stmt, Loop) and not _fills(stmt, array) and any(_fills(s, array) for s in stmt.body)


def _fills(stmt: Stmt, array: str) -> bool:
    return isinstance(stmt, Loop) and stmt.mode == FOR and {s.array for s in all_stores((stmt,))} == {f"pack.{array}"}


def parts(body: tuple[Stmt, ...], array: str) -> tuple[Loop, tuple[Stmt, ...]]:
    """The loop that packs a panel, and what reads it."""
    (copy,) = (s for s in body if isinstance(s, Loop) and _fills(s, array))
    return copy, tuple(s for s in body if s is not copy)


def in_tiles(index: Aff, tiles: tuple[Stmt, ...]) -> Aff:
    """An index of the loops that pack (k.p, j.p.u, j.p.v) in terms of those that sum (k, j.i.u, j.i.v)."""
    known = {s.var for s in statements(tiles) if isinstance(s, Loop)}
    renamed = {var: var.replace(".p.", ".i.") if ".p." in var else var.removesuffix(".p") for var in index.variables}
    return index.substitute({var: Aff.of(name) for var, name in renamed.items() if name in known})


def _read_in_place(copy: Loop, tiles: tuple[Stmt, ...], array: str) -> tuple[Stmt, ...]:
    (store,) = all_stores((copy,))
    assert isinstance(store, Store) and isinstance(store.expr, Load)
    there = replace(store.expr, index=(in_tiles(store.expr.index[0], tiles),))

    def moved(e: Expr) -> Expr | None:
        return there if isinstance(e, Load) and e.array == store.array else None

    return map_body(tiles, lambda s: (replace(s, expr=rewrite(s.expr, moved)),) if isinstance(s, Accum) else None)
