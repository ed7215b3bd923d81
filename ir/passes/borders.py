"""Program -> program in which a pad that is kept in memory is written in parts: what it surrounds, and its borders.

    store p[n, y, x, c] = (t[n, y - 1, x - 1, c] if 0 <= y - 1 < 14 and 0 <= x - 1 < 14 else 0.0)
becomes
    store p[n, y + 1, x + 1, c] = t[n, y, x, c]         over t's elements: an epilogue of whatever makes t, which need never exist
    store p[n, 15*y, x, c] = 0.0                        two rows
    store p[n, y + 1, 15*x, c] = 0.0                    two columns

It is done where sums read the padded array many times, so that it must exist, and nothing else reads what it surrounds.
"""

from __future__ import annotations

from kcompile.common.struct import replace

from ..forms import Placed, place
from ..kernel import STORE, Eq, Kernel
from ..program import Program, unfused
from ..scalar import Aff, Const, Load, plain_axes
from ..types import DimLike, TensorType, is_static

SUMS = ("contract", "window")


def borders(program: Program) -> Program:
    """Every such pad in parts."""
    placed = program.placed
    pads = {n: found for n, one in enumerate(placed) if one.form.kind == "map" and (found := _pad(one)) is not None}
    if not pads:
        return program
    readers: dict[str, list[Placed]] = {}
    for one in placed:
        for array in one.reads:
            readers.setdefault(array, []).append(one)
    kept = {*program.outputs.values(), *program.updates.values(), *(b.of for b in program.buffers.values())}
    parts: list[Placed] = []
    for n, one in enumerate(placed):
        if n in pads:
            kernel, load, low = pads[n]
            padded = one.writes[0]
            alone = len(readers[load.array]) == 1 and load.array not in kept and padded not in kept
            if alone and all(reader.form.kind in SUMS for reader in readers.get(padded, ())):
                parts += [place(part) for part in _parts(kernel, load, low)]
                continue
        parts.append(one)
    return unfused(program.name, program.buffers, tuple(parts), program.outputs, program.updates)


def _pad(placed: Placed) -> tuple[Kernel, Load, list[int]] | None:
    """A kernel, what it surrounds with one value, and by how much below along each axis; None for a kernel that does anything else."""
    equations = placed.form.kernel.equations
    if len(equations) != 1 or not isinstance(equations[0].expr, Load) or not equations[0].expr.guards:
        return None
    kernel = placed.kernel("pad")
    (q,) = kernel.equations
    axes = plain_axes(q.index)
    if q.kind != STORE or axes is None or not isinstance(q.expr, Load) or not isinstance(q.expr.other, Const) or not q.expr.guards:
        return None
    load = q.expr
    shape, low = kernel.arrays[load.array].shape, []
    if len(load.index) != len(axes):
        return None
    for axis, aff in zip(axes, load.index, strict=True):
        if aff.terms != ((axis, 1),) or not isinstance(aff.const, int):
            return None
        low.append(-aff.const)
    bounds = {g.index: (g.lo, g.hi) for g in load.guards}
    around = {aff: (0, extent) for aff, extent, b, whole in zip(load.index, shape, low, kernel.arrays[q.name].shape, strict=True)
              if b or whole != extent}
    static = all(is_static(extent) for _, extent in around.values())
    return (kernel, load, low) if bounds == around and len(bounds) == len(load.guards) and static else None


def _parts(kernel: Kernel, load: Load, low: list[int]) -> list[Kernel]:
    """The kernel of what is surrounded, and one for each pair of equal borders, or for a border without its like."""
    (q,) = kernel.equations
    axes, inner, outer = plain_axes(q.index) or (), kernel.arrays[load.array], kernel.arrays[q.name]
    shifted = tuple(Aff.of({axis: 1}, n) for axis, n in zip(axes, low, strict=True))
    inside = Load(load.array, tuple(Aff.of(axis) for axis in axes), load.dtype)
    found = [replace(kernel, axes=dict(zip(axes, inner.shape, strict=True)), equations=(replace(q, expr=inside, index=shifted),))]
    assert load.other is not None
    value = load.other
    for n, axis in enumerate(axes):
        for terms, extents in _borders(axis, low[n], inner.shape[n], outer.shape[n], set(axes)):
            index = (*shifted[:n], terms, *(Aff.of(a) for a in axes[n + 1:]))
            beyond = dict(zip(axes[n + 1:], outer.shape[n + 1:], strict=True))
            around = {**dict(zip(axes, inner.shape[:n], strict=False)), **extents, **beyond}
            fill = Eq(STORE, q.name, value, tuple(around), index=index)
            found.append(replace(kernel, axes=around, arrays={q.name: TensorType(outer.shape, outer.dtype)}, equations=(fill,)))
    return found


def _borders(axis: str, low: int, extent: DimLike, whole: DimLike, taken: set[str]) -> list[tuple[Aff, dict[str, DimLike]]]:
    """(index, axes with their extents) of each border along an axis: both at once where they are equally wide."""
    high = int(str(whole)) - low - int(str(extent)) if is_static(whole) else 0
    side = axis + "_"
    while side in taken:
        side += "_"
    if low == high > 0:
        apart = low + int(str(extent))
        return [(Aff.of({side: apart, axis: 1}), {side: 2, axis: low}) if low > 1 else (Aff.of({side: apart}), {side: 2})]
    ends = ((0, low), (int(str(extent)) + low if high else 0, high))
    return [(Aff.of({axis: 1}, start), {axis: width}) for start, width in ends if width]
