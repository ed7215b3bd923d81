"""Vectors in which neighbouring lanes hold the terms of a sum side by side: `ways` terms for each value of the vector variable.

What moves with the terms alone is one piece of memory of so many elements, in all lanes at once: a load does that by itself, as it does
with one element. What moves with both is contiguous where it was packed so, and else read term by term and zipped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.scalar import Aff, Const, Load
from ...ir.types import f32
from .. import scalar_code
from ..nest import Loop
from .indices import Index, Lanes, Operand
from .memory import ZERO_CELL, mask_of

if TYPE_CHECKING:
    from .values import Values


def lanes_of(loop: Loop, around: Lanes | None) -> Lanes:
    """The lanes of a vector loop; inside another one it counts terms."""
    count = int(str(loop.extent))
    if around is None:
        return Lanes(loop.var, count, loop.clip)
    if around.terms or loop.clip:
        raise ValueError(f"the vector loop {loop.var} inside {around.var} does not count terms of a sum, all of them live")
    return Lanes(around.var, around.count * count, around.clip, loop.var, count)


def is_contiguous(index: Aff, lanes: Lanes) -> bool:
    """Whether the lanes lie side by side."""
    return index.coefficient(lanes.var) == lanes.ways and (not lanes.terms or index.coefficient(lanes.terms) == 1)


def load_terms(f: Values, load: Load) -> Operand:
    """A load in which lanes are terms side by side."""
    lanes = f.vector
    assert lanes
    (index,) = load.index
    own = {lanes.var, lanes.terms}
    guarded = [g for g in load.guards if own & g.index.variables]
    terms_alone = all(g.index == Aff.of(lanes.terms) and g.lo == 0 and isinstance(g.hi, int) for g in guarded)
    if index.coefficient(lanes.terms) == 1 and lanes.var not in index.variables and terms_alone and load.dtype == f32 \
            and (load.other is None or load.other.value == 0):
        return _everywhere(f, load, index, min([lanes.ways, *(int(str(g.hi)) for g in guarded)]))
    roomy = load.array in f.nest.scratch or load.array in f.nest.panels
    if not load.guards and is_contiguous(index, lanes) and (roomy or not lanes.clip):
        where = f.pointer(load.array, index)
        key = ("load", load.array, f.versions.get(load.array, 0), where, "", None, lanes.count)
        known = f.scopes.recall(key)
        if known is None:
            text = f.vector_load(load, where, True, "", Const(0, load.dtype))
            known = Operand(scalar_code.from_memory(f.w, load.dtype, lanes.count, text), load.dtype, lanes.count)
            f.scopes.remember(key, known)
        return known  # type: ignore[no-any-return]
    return _term_by_term(f, load, lanes)


def _everywhere(f: Values, load: Load, index: Aff, left: int) -> Operand:
    """Of `ways` neighbouring elements the first `left`, and zeros, in all lanes."""
    lanes = f.vector
    assert lanes
    guard = f.guards(tuple(g for g in load.guards if lanes.terms not in g.index.variables))
    where = f.pointer(load.array, index)
    key = ("terms", load.array, f.versions.get(load.array, 0), where, guard and guard.text, left, lanes)
    known = f.scopes.recall(key)
    if known is not None:
        return known  # type: ignore[no-any-return]
    w, wide = f.w, scalar_code.register_type(load.dtype, lanes.count)
    if guard is not None:
        w.declare(ZERO_CELL)
        where = w.value(f"select i1 {guard.text}, ptr {where}, ptr @kc_zero_cell")
    if left == lanes.ways == 2:  # LLVM knows the instruction for a double
        double, pairs = w.value(f"load double, ptr {where}, align 4{f.invariant(load.array)}"), f"<{lanes.count // 2} x double>"
        one = w.value(f"insertelement {pairs} poison, double {double}, i64 0")
        all_pairs = w.value(f"shufflevector {pairs} {one}, {pairs} poison, <{lanes.count // 2} x i32> zeroinitializer")
        text = w.value(f"bitcast {pairs} {all_pairs} to {wide}")
    else:
        some = f"<{left} x float>"
        piece = w.value(f"load {some}, ptr {where}, align 4{f.invariant(load.array)}")
        order = [min(lane % lanes.ways, left) for lane in range(lanes.count)]  # `left`: the first of the zeros
        text = w.value(f"shufflevector {some} {piece}, {some} zeroinitializer, {mask_of(order)}")
    result = Operand(text, load.dtype, lanes.count)
    f.scopes.remember(key, result)
    return result


def _term_by_term(f: Values, load: Load, lanes: Lanes) -> Operand:
    """One vector for each term, zipped."""
    each = lanes.count // lanes.ways
    f.vector = Lanes(lanes.var, each, lanes.clip)
    parts: list[str] = []
    for term in range(lanes.ways):
        f.indices[lanes.terms] = Index(const=term)
        parts.append(f.broadcast(f.load(load), each).text)
    del f.indices[lanes.terms]
    f.vector = lanes
    size = each
    while len(parts) > 2:
        kind = scalar_code.register_type(load.dtype, size)
        parts = [f.w.value(f"shufflevector {kind} {a}, {kind} {b}, {mask_of(range(2 * size))}")
                 for a, b in zip(parts[::2], parts[1::2], strict=True)]
        size *= 2
    kind, (a, b) = scalar_code.register_type(load.dtype, size), parts
    order = [lane % lanes.ways * each + lane // lanes.ways for lane in range(lanes.count)]
    text = f.w.value(f"shufflevector {kind} {a}, {kind} {b}, {mask_of(order)}")
    return Operand(text, load.dtype, lanes.count)

