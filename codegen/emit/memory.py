"""Names and constants of loads and stores."""

from __future__ import annotations

from collections.abc import Iterable

from ...ir.scalar import Const
from ...ir.types import DType, boolean, f16
from .. import scalar_code
from ..text_builder import Writer

# what a load whose guard fails reads instead
ZERO_CELL = "@kc_zero_cell = private unnamed_addr constant [64 x i8] zeroinitializer, align 64"


def mask_of(order: Iterable[int]) -> str:
    """Which lanes a shuffle takes, as its last operand."""
    numbers = [f"i32 {n}" for n in order]
    return f"<{len(numbers)} x i32> <{', '.join(numbers)}>"


def suffix(dtype: DType, lanes: int) -> str:
    """The type part of a memory intrinsic's name."""
    kind = {"f16": "f16", "f32": "f32", "f64": "f64"}.get(dtype.name, f"i{8 * dtype.size}")
    return f"v{lanes}{kind}"


def mask_text(live: Iterable[bool]) -> str:
    """A mask that is known."""
    return f"<{', '.join(f'i1 {int(one)}' for one in live)}>"


def known_mask(mask: str, lanes: int) -> list[bool] | None:
    """The live lanes of a mask that is known ('' for all); None for a value."""
    return None if mask.startswith("%") else [one.endswith("1") for one in mask.strip("<>").split(", ")] if mask else [True] * lanes


def store_masked(w: Writer, dtype: DType, wide: str, text: str, where: str, mask: str) -> None:
    """Stores the live lanes of a vector of type `wide` side by side. A single one is stored by itself: of a vector that was truncated LLVM
    22.1 and older store it with as many bytes as it had before (llvm/llvm-project#179489)."""
    count, element = wide.strip("<>").split(" x ")
    live = known_mask(mask, int(count))
    if live is not None and sum(live) == 1:
        lane = live.index(True)
        one = w.value(f"extractelement {wide} {text}, i64 {lane}")
        place = w.value(f"getelementptr {element}, ptr {where}, i64 {lane}") if lane else where
        w.line(f"store {element} {one}, ptr {place}, align {dtype.size}")
        return
    name = f"llvm.masked.store.{suffix(dtype, int(count))}.p0"
    w.declare(f"declare void @{name}({wide}, ptr, i32, <{count} x i1>)")
    w.line(f"call void @{name}({wide} {text}, ptr {where}, i32 {dtype.size}, <{count} x i1> {mask or 'splat (i1 true)'})")


def memory_constant(const: Const, lanes: int) -> str:
    """A constant of memory_type, for the lanes that a masked load leaves out."""
    if const.value == 0:
        return "zeroinitializer"
    element = scalar_code.memory_type(const.dtype, 1)
    if const.dtype.is_float and const.dtype.size < 4:
        bits = const.dtype.numpy.type(const.value).tobytes()[::-1].hex().upper()
        return f"splat (half 0xH{bits})" if const.dtype == f16 else f"splat (i16 {int(bits, 16)})"
    if const.dtype == boolean:
        return f"splat (i8 {int(bool(const.value))})"
    return f"splat ({element} {scalar_code.constant(const.dtype, const.value, 1)})"
