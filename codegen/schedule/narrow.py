"""A step for the last panel of columns: narrow.

    narrow(j.i)   for j.o in 0..56 step 32 { acc c[i<5, j.i.u<4, j.i.v:vec8] ; for k ... each i<5, j.i.u<4, j.i.v:vec8 if ... }
                  ->  for j.o in 0..56 step 32 {
                        for j.w in 0..1 if j.o + j.w + 31 < 56 { acc c[i<5, j.i.u<4, j.i.v:vec8] ; for k ... }
                        for j.s in 0..1 if 56 - j.o + j.s < 32 { acc c[i<5, j.i.u<3, j.i.v:vec8] ; for k ... } }

It has as many vectors as are left, and code of its own: where `slide` would compute a vector or more twice. The last of them may have dead
lanes; or they all step back by as many (`back`), and nothing is masked:

    narrow(j.i, back)     for j.s in 0..1 if 53 - j.o + j.s < 32 { ... each j.i.u<3, j.i.v:vec8 { y[j.o + 8*j.i.u + j.i.v - 3] = c } }
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ...ir.scalar import Aff
from ..access import accesses
from ..nest import VECTOR, Acc, Clip, Loop, Nest, Stmt, Store, Transpose, loops, map_body, statements
from .loops import record, refuse
from .singly import is_tile
from .slide import changed_twice, with_indices


def narrow(nest: Nest, columns: str, back: str = "") -> Nest:
    """Gives the last trip of the loop over the panels of `columns` as many vectors as are left, which step `back` if that is said."""
    step = f"narrow({columns}{', back' if back else ''})"
    refuse(step, why_not_narrow(nest, columns) or (why_not_back(nest, columns) if back else ""))
    axis, unit = columns.removesuffix(".i"), f"{columns}.u"
    clip, lanes, count = _ends(nest, columns)[0], _lanes(nest, columns), int(str(loops(nest, unit)[0].extent))
    extent, width = int(str(clip.extent)), count * lanes
    start, left = clip.base.substitute({unit: Aff()}), -(-(extent % width) // lanes)
    moved = {f"{axis}.o": Aff.of(f"{axis}.o", extent % width - left * lanes)}

    def place(array: str, index: Aff) -> Aff:
        return index if array in nest.scratch else index.substitute(moved)  # sums wait where they would

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if not isinstance(stmt, Loop) or not any(is_tile(s, unit) for s in stmt.body):
            return None
        first = next(n for n, s in enumerate(stmt.body) if is_tile(s, unit))
        before, tile = stmt.body[:first], stmt.body[first:]
        full = Loop(f"{axis}.w", 1, _vectors(tile, columns, count, clip), clip=Clip(start + (width - 1), extent))
        rest = _vectors(tile, columns, left, clip if back or extent % lanes == 0 else None)
        last = Loop(f"{axis}.s", 1, with_indices(rest, place) if back else rest, clip=Clip(start * -1 + extent, width))
        return (replace(stmt, body=(*before, full, last)),)

    return record(nest, map_body(nest.body, change), step)


def why_not_narrow(nest: Nest, columns: str) -> str:
    """What stands against `narrow`; '' for nothing."""
    unit, panels, ends = f"{columns}.u", loops(nest, f"{columns.removesuffix('.i')}.o"), _ends(nest, columns)
    units, lanes = loops(nest, unit), _lanes(nest, columns)
    if not units or not panels or len(ends) != 1 or not isinstance(ends[0].extent, int):
        return f"vectors along {columns} do not end early in one way"
    width = lanes * int(str(units[0].extent))
    if any(x.step != 1 or x.back for x in units) or any(x.step != width or x.back for x in panels):
        return f"{columns} is not cut from one loop whose last trip ends early"
    if ends[0].base.coefficient(unit) != lanes or ends[0].extent <= width or -(-ends[0].extent // lanes) * lanes % width == 0:
        return "the last panel has as many vectors as the others, or is the only one"
    inside = {s.var for home in _homes(nest, unit) for s in home.inside if isinstance(s, Loop)}
    if (ends[0].base.variables - {unit}) & inside:
        return f"{columns} is not of one tile of sums"
    return ""


def why_not_back(nest: Nest, columns: str) -> str:
    """What stands against it that the vectors of the last panel step back; '' for nothing."""
    panels, homes, ends = f"{columns.removesuffix('.i')}.o", _homes(nest, f"{columns}.u"), _ends(nest, columns)
    if int(str(ends[0].extent)) % _lanes(nest, columns) == 0:
        return "no lane of the last panel is dead"
    inside = tuple(s for home in homes for s in home.inside)
    found = [a for home in homes for a in accesses(nest, home.body) if a.depends_on(panels)]
    waiting = {a.array for a in found if a.store and a.array in nest.scratch}
    if packed := {a.array for a in found if a.array in nest.scratch} - waiting:
        return f"{', '.join(sorted(packed))} lies in whole panels"
    clips = [s.clip for s in inside if isinstance(s, Loop)]
    clips += [clip for s in inside if isinstance(s, Transpose) for clip in (s.lane_clip, s.column_clip)]
    if any(clip and panels in clip.base.variables and clip not in ends for clip in clips):
        return f"something else than the vectors ends with {panels}"
    if any(isinstance(s, Store) and s.accumulate for s in inside):
        return "it adds to memory"
    return changed_twice(nest, inside)


def _ends(nest: Nest, columns: str) -> list[Clip]:
    """In which ways the vectors of tiles end early."""
    return list(dict.fromkeys(s.clip for home in _homes(nest, f"{columns}.u") for s in home.inside
                              if isinstance(s, Loop) and s.var == f"{columns}.v" and s.clip))


def _homes(nest: Nest, unit: str) -> list[Loop]:
    return [s for s in statements(nest.body) if isinstance(s, Loop) and any(is_tile(x, unit) for x in s.body)]


def _lanes(nest: Nest, columns: str) -> int:
    return int(str(loops(nest, f"{columns}.v")[0].extent)) if loops(nest, f"{columns}.v") else 0


def _vectors(body: tuple[Stmt, ...], columns: str, count: int, whole: Clip | None) -> tuple[Stmt, ...]:
    """The body of a tile for its first vectors; in none of them that ends as `whole` is a lane dead."""
    unit = f"{columns}.u"

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, Acc):
            return (replace(stmt, dims=tuple(replace(d, extent=count) if d.var == unit else d for d in stmt.dims)),)
        if isinstance(stmt, Transpose) and stmt.lane_clip == whole:
            return (replace(stmt, lane_clip=None),)
        if isinstance(stmt, Loop):
            clip = None if stmt.mode == VECTOR and stmt.clip == whole else stmt.clip
            return (replace(stmt, extent=count if stmt.var == unit else stmt.extent, clip=clip, body=map_body(stmt.body, change)),)
        return None

    return map_body(body, change)
