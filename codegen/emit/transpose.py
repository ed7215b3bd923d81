"""A transposed store: vectors along one axis become rows along another, in registers.

`width` vectors of `count` lanes are zipped in rounds, each vector of the first half with one of the second, until the
elements of a row lie side by side:

    a0 a1 a2 a3         a0 c0 a1 c1         a0 b0 c0 d0
    b0 b1 b2 b3   zip   a2 c2 a3 c3   zip   a1 b1 c1 d1
    c0 c1 c2 c3   ->    b0 d0 b1 d1   ->    a2 b2 c2 d2
    d0 d1 d2 d3         b2 d2 b3 d3         a3 b3 c3 d3
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...ir.types import f32, f64
from .. import scalar_code
from ..nest import Clip, Transpose
from .indices import Index, Lanes, Operand
from .memory import mask_of, store_masked, suffix

if TYPE_CHECKING:
    from .statements import Statements


def write_transposed(f: Statements, stmt: Transpose) -> None:
    """Emits the statement. The number of lanes must be a power of two; where that of columns is none, vectors of nothing follow them."""
    dtype = f.nest.dtype_of(stmt.array)
    parts: list[Operand] = []
    for column in range(stmt.width):
        f.unrolled[stmt.columns] = column
        value = f.look_up(stmt.value)
        assert isinstance(value, Operand)
        wide = f.broadcast(value, stmt.count)
        parts.append(Operand(scalar_code.to_memory(f.w, dtype, stmt.count, wide.text), dtype, stmt.count))
    del f.unrolled[stmt.columns]
    kind = scalar_code.memory_type(dtype, stmt.count)
    low = mask_of(n // 2 + (n % 2) * stmt.count for n in range(stmt.count))
    high = mask_of((n + stmt.count) // 2 + (n % 2) * stmt.count for n in range(stmt.count))
    rounds = (stmt.width - 1).bit_length()
    texts = [*(p.text for p in parts), *["poison"] * ((1 << rounds) - stmt.width)]
    for number in range(rounds):
        if number and number % 2 == 0 and dtype in (f32, f64):
            # LLVM tries to merge chains of shuffles, in time that grows with their length to no gain: the fence cuts the chain
            texts = [f.w.call(kind, f"llvm.arithmetic.fence.{suffix(dtype, stmt.count)}", (kind, t)) if t != "poison" else t
                     for t in texts]
        half = len(texts) // 2
        zipped: list[str] = []
        for a, b in zip(texts[:half], texts[half:], strict=True):
            zipped += [f.w.value(f"shufflevector {kind} {a}, {kind} {b}, {m}") for m in (low, high)]
        texts = zipped
    _store_rows(f, stmt, texts, kind)



def _store_rows(f: Statements, stmt: Transpose, texts: list[str], kind: str) -> None:
    """`texts` hold the rows one after the other, each as long as the power of two that the columns are filled up to."""
    dtype, width, count = f.nest.dtype_of(stmt.array), stmt.width, stmt.count
    length = 1 << (width - 1).bit_length()
    row_kind = scalar_code.memory_type(dtype, width)
    columns = _live(f, stmt.columns, width, stmt.column_clip)
    left, first_is_live = "", True
    if stmt.lane_clip:
        base = stmt.lane_clip.base
        left = f.pure(f"sub i64 {f.dim(stmt.lane_clip.extent)}, {f.integer(base)[0]}")
        first_is_live = f.begins_live(stmt.lane_clip)
    f.indices[stmt.columns] = Index()
    for row in range(count):
        f.indices[stmt.lanes] = Index(const=row)
        where = f.pointer(stmt.array, stmt.index)
        text = _row(f, texts, kind, row * length, length, width, count)
        if left and (row or not first_is_live):  # what a dead lane holds is thrown away
            live = f.pure(f"icmp sgt i64 {left}, {row}")
            where = f.place(where, live)
        if not columns:
            f.w.line(f"store {row_kind} {text}, ptr {where}, align {dtype.size}")
            continue
        store_masked(f.w, dtype, row_kind, text, where, columns)


def _row(f: Statements, texts: list[str], kind: str, start: int, length: int, width: int, count: int) -> str:
    """The first `width` of the `length` elements from `start` on in the concatenation of the vectors."""
    size, pieces = count, texts[start // count:max(start + length, start // count * count + count) // count]
    while len(pieces) > 1:
        joined = f"<{size} x {kind.split(' x ')[-1]}"
        pieces = [f.w.value(f"shufflevector {joined} {a}, {joined} {b}, {mask_of(range(2 * size))}")
                  for a, b in zip(pieces[::2], pieces[1::2], strict=True)]
        size *= 2
    if width == size:
        return pieces[0]
    offset, whole = start % count, f"<{size} x {kind.split(' x ')[-1]}"
    return f.w.value(f"shufflevector {whole} {pieces[0]}, {whole} poison, {mask_of(range(offset, offset + width))}")


def _live(f: Statements, var: str, count: int, clip: Clip | None) -> str:
    """The live values of a variable as a vector of i1; '' where all are."""
    if clip is None:
        return ""
    before, f.vector = f.vector, Lanes(var, count, clip)
    mask = f.lane_mask()
    f.vector = before
    return mask
