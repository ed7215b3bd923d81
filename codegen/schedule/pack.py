"""Steps that turn an axis of large stride into one of unit stride: transpose (of a store) and pack (of an operand).

    transpose(j.i, i.i.v)   each j.i<8, i.i.v:vec16 { y[N*i.i.v + j.i] = e }
                            ->  each j.i<8, i.i.v:vec16 { let y.t = e } ; y[...] = transpose y.t over j.i<8, i.i.v:vec16
    pack_all(w, j, k, 16)   the same for all panels at once, before everything else
    keep(w)                 what pack_all copied is kept for the next calls
    pack(x, i, k)           before the loops inside i.o, x[K*i + k] of the panel's rows is copied to pack.x[32*k + i]
"""

from __future__ import annotations

import math

from kcompile.common.struct import replace

from ...ir.scalar import Aff, Load, rewrite
from ...ir.types import Dim
from ..nest import FOR, UNROLL, VECTOR, Accum, Clip, Let, Loop, Nest, Panel, Stmt, Store, Transpose, all_stores, loops, map_body
from .loops import ScheduleError, record
from .stash import perfect_chain


def transpose(nest: Nest, columns: str, lanes: str) -> Nest:
    """Stores rows along the unrolled loop `columns` instead of scattering the lanes of the vector loop inside it. Vectors side by side,
    along an unrolled loop between the two, are turned one after the other."""
    step = f"transpose({columns}, {lanes})"
    done = False

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        nonlocal done
        if not isinstance(stmt, Loop) or stmt.var != columns or stmt.mode != UNROLL:
            return None
        chain = perfect_chain(stmt)
        inner = chain[-1]
        if inner.var != lanes or inner.mode != VECTOR or any(loop.mode != UNROLL for loop in chain[:-1]):
            raise ScheduleError(f"{step}: {lanes} is not the vector loop inside {columns}")
        after: list[Stmt] = []
        body: list[Stmt] = []
        for s in inner.body:
            if isinstance(s, Store) and not s.accumulate and s.index.coefficient(columns) == 1 and s.index.coefficient(lanes) not in (0, 1):
                name = f"{s.array}.t{len(after) or ''}"
                body.append(Let(name, s.expr))
                after.append(Transpose(s.array, s.index, name, lanes, int(str(inner.extent)), inner.clip,
                                       columns, int(str(stmt.extent)), stmt.clip))
            else:
                body.append(s)
        if not after:
            return (stmt,)
        done = True
        turned: tuple[Stmt, ...] = (replace(stmt, body=(replace(inner, body=tuple(body)),)), *after)
        for loop in reversed(chain[1:-1]):
            turned = (replace(loop, body=turned),)
        return turned

    body = map_body(nest.body, change)
    if not done:
        raise ScheduleError(f"{step}: no store moves with stride 1 along {columns} and otherwise along {lanes}")
    return record(nest, body, step)


def pack_all(nest: Nest, array: str, panel: str, *over_lanes: str | int) -> Nest:
    """Copies all panels of an operand, which moves along no other loop, before everything else: lanes already lie side by side,
    but the rows of a panel far apart. Every thread copies for itself. `over_lanes`: as for `pack`."""
    over, lanes = tuple(map(str, over_lanes[:-1])), int(over_lanes[-1])
    step = f"pack_all({array}, {panel}, {', '.join(over)}, {lanes})"
    outer, depth = loops(nest, f"{panel}.o"), {var: loops(nest, var) for var in over}
    plain = all(found and not isinstance(found[0].extent, Dim) and found[0].mode == FOR for found in depth.values())
    if len(outer) != 1 or isinstance(outer[0].extent, Dim) or not depth or not plain:
        raise ScheduleError(f"{step}: needs one loop {panel}.o and plain loops {' and '.join(over)}, all of static extent")
    units = loops(nest, f"{panel}.i.u")
    count = int(str(units[0].extent)) if units else 1
    extents, width = [int(str(found[0].extent)) for found in depth.values()], count * lanes
    lane, unit, start = f"{panel}.i.v", f"{panel}.i.u", f"{panel}.o"
    if outer[0].step != width:
        raise ScheduleError(f"{step}: {start} steps by {outer[0].step}, not by the {width} lanes of a panel")
    name = f"pack.{array}"
    rows = {var: width * math.prod(extents[n + 1:]) for n, var in enumerate(over)}
    place = Aff.of({start: math.prod(extents), **rows, lane: 1, **({unit: lanes} if count > 1 else {})})
    dtype = nest.arrays[array].dtype
    body, found = _read_from(nest, array, lane, over[-1], name, place)
    known = {start, *over, lane, unit}
    if len(found) != 1 or next(iter(found)).coefficient(lane) != 1 or not next(iter(found)).variables <= known:
        raise ScheduleError(f"{step}: the operand is not one that moves along {panel}, with stride 1, and {over} alone")
    (index,) = found
    panels = f"{panel}.q"
    clip = next((x.clip for x in loops(nest, lane)), None)
    moved = {start: Aff.of(panels), **{var: Aff.of(f"{var}.p") for var in over}}
    copied = Store(name, place.substitute(moved), Load(array, (index.substitute(moved),), dtype))
    inner: tuple[Stmt, ...] = (Loop(lane, lanes, (copied,), mode=VECTOR, clip=clip and Clip(clip.base.substitute(moved), clip.extent)),)
    if count > 1:
        inner = (Loop(unit, count, inner, mode=UNROLL),)
    for var, extent in zip(reversed(over), reversed(extents), strict=True):
        inner = (Loop(f"{var}.p", extent, inner),)
    size = int(str(outer[0].extent))
    packed = replace(nest, scratch={**nest.scratch, name: (dtype, -(-size // width) * width * math.prod(extents))})
    return record(packed, (Loop(panels, size, inner, step=width), *body), step)


def keep(nest: Nest, array: str) -> Nest:
    """Lets the panels that `pack_all` has made of an array that holds still outlive the call: they are filled when it has changed."""
    step, name = f"keep({array})", f"pack.{array}"
    fill = nest.body[0]
    packed = array in nest.still and name in nest.scratch
    if not packed or not isinstance(fill, Loop) or {s.array for s in all_stores((fill,))} != {name}:
        raise ScheduleError(f"{step}: {array} is no array that holds still and was packed whole")
    dtype, elements = nest.scratch[name]
    panel = Panel(array, dtype, elements, (replace(fill, parallel=True),))
    scratch = {other: kind for other, kind in nest.scratch.items() if other != name}
    return record(replace(nest, scratch=scratch, panels={**nest.panels, name: panel}), nest.body[1:], step)


def pack(nest: Nest, array: str, panel: str, *over_lanes: str | int) -> Nest:
    """Copies the operand of a panel of `panel.o`, transposed, to private memory, where lanes lie side by side.

    `over_lanes`: the loops to be summed over, outermost first, plain ones of static extent, and the lanes of a vector. `panel` has been
    tiled, and vectorized as panel.i; the loads of the array in accumulations have stride 1 along the one such loop (then the copy is
    transposed) or along the lanes (then it brings rows that lie far apart together).
    """
    over, lanes = tuple(map(str, over_lanes[:-1])), int(over_lanes[-1])
    step = f"pack({array}, {panel}, {', '.join(over)}, {lanes})"
    outer, depth = loops(nest, f"{panel}.o"), [loops(nest, var) for var in over]
    if len(outer) != 1 or not depth or any(len(d) != 1 or isinstance(d[0].extent, Dim) or d[0].mode != FOR for d in depth):
        raise ScheduleError(f"{step}: needs one loop {panel}.o and one plain loop {' and '.join(over)} of static extent")
    units = loops(nest, f"{panel}.i.u")
    count = int(str(units[0].extent)) if units else 1
    extents, width = [int(str(d[0].extent)) for d in depth], count * lanes
    lane, unit = f"{panel}.i.v", f"{panel}.i.u"
    name = f"pack.{array}"
    rows = {var: width * math.prod(extents[n + 1:]) for n, var in enumerate(over)}
    at = Aff.of({**rows, lane: 1, **({unit: lanes} if count > 1 else {})})
    dtype = nest.arrays[array].dtype
    body, found = _read_from(nest, array, lane, over[-1], name, at)
    if len(found) != 1:
        raise ScheduleError(f"{step}: the array is read through {len(found)} different indices")
    (index,) = found
    if index.coefficient(lane) == 1:
        copy = _copy_rows(nest, at, array, index, panel, dict(zip(over, extents, strict=True)), lanes, count)
    elif index.coefficient(over[-1]) == 1:
        copy = _copy(nest, at, array, index, panel, dict(zip(over, extents, strict=True)), lanes, count)
    else:
        raise ScheduleError(f"{step}: {array} has the stride {index.coefficient(over[-1])} along {over[-1]} and none of 1 along {panel}")

    def insert(stmt: Stmt) -> tuple[Stmt, ...] | None:
        if isinstance(stmt, Loop) and stmt.var == f"{panel}.o":
            return (replace(stmt, body=(copy, *stmt.body)),)
        return None

    packed = replace(nest, scratch={**nest.scratch, name: (dtype, width * math.prod(extents))})
    return record(packed, map_body(body, insert), step)


def _read_from(nest: Nest, array: str, lane: str, summed: str, name: str, place: Aff) -> tuple[tuple[Stmt, ...], set[Aff]]:
    """The body, where the loop that sums reads at a place of private memory what it read of an array along the lanes; through which indices
    it did."""
    found: set[Aff] = set()

    def replaced(e: object) -> Load | None:
        if isinstance(e, Load) and e.array == array and lane in e.index[0].variables:
            found.add(e.index[0])
            return Load(name, (place,), e.dtype)
        return None

    def read(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (replace(stmt, expr=rewrite(stmt.expr, replaced)),) if isinstance(stmt, Accum | Let) else None

    def change(stmt: Stmt) -> tuple[Stmt, ...] | None:
        return (replace(stmt, body=map_body(stmt.body, read)),) if isinstance(stmt, Loop) and stmt.var == summed else None
    return map_body(nest.body, change), found


def _copy_rows(nest: Nest, at: Aff, array: str, index: Aff, panel: str, over: dict[str, int], lanes: int, count: int) -> Loop:
    """The loop that fills the packed panel where lanes lie side by side already: row after row, each to its place `at`."""
    unit, lane = f"{panel}.p.u", f"{panel}.p.v"
    clip = next((x.clip for x in loops(nest, f"{panel}.i.v")), None)
    renamed = {f"{panel}.i.v": Aff.of(lane), f"{panel}.i.u": Aff.of(unit), **{var: Aff.of(f"{var}.p") for var in over}}
    copied = Store(f"pack.{array}", at.substitute(renamed), Load(array, (index.substitute(renamed),), nest.arrays[array].dtype))
    body: tuple[Stmt, ...] = (Loop(lane, lanes, (copied,), mode=VECTOR, clip=clip and Clip(clip.base.substitute(renamed), clip.extent)),)
    if count > 1:
        body = (Loop(unit, count, body, mode=UNROLL),)
    for var, extent in reversed(over.items()):
        body = (Loop(f"{var}.p", extent, body),)
    assert isinstance(body[0], Loop)
    return body[0]


def _copy(nest: Nest, at: Aff, array: str, index: Aff, panel: str, over: dict[str, int], lanes: int, count: int) -> Loop:
    """The loop that fills the packed panel, a block of lanes x lanes at a time; memory is contiguous along the last loop that sums."""
    *around, (last, extent) = over.items()
    name, block, row, unit, depth = f"pack.{array}", f"{last}.p", f"{panel}.p.r", f"{panel}.p.u", f"{last}.p.v"
    clip = next((x.clip for x in loops(nest, f"{panel}.i.v")), None)
    moved = {f"{panel}.i.v": Aff.of(row), f"{panel}.i.u": Aff.of(unit), last: Aff.of({block: 1, depth: 1}),
             **{var: Aff.of(f"{var}.p") for var, _ in around}}
    row_clip = clip and Clip(clip.base.substitute({f"{panel}.i.u": Aff.of(unit)}), clip.extent)
    depth_clip = Clip(Aff.of(block), extent) if extent % lanes else None
    read = Loop(depth, lanes, (Let(f"{name}.t", Load(array, (index.substitute(moved),), nest.arrays[array].dtype)),), mode=VECTOR,
                clip=depth_clip)
    rows = Loop(row, lanes, (read,), mode=UNROLL, clip=row_clip)
    write = Transpose(name, at.substitute(moved), f"{name}.t", depth, lanes, depth_clip, row, lanes, None)
    body: tuple[Stmt, ...] = (rows, write)
    if count > 1:
        body = (Loop(unit, count, body),)
    copy = Loop(block, extent, body, step=lanes)
    for var, size in reversed(around):
        copy = Loop(f"{var}.p", size, (copy,))
    return copy
