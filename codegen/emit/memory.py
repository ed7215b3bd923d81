"""Names and constants of loads and stores."""

from __future__ import annotations

from collections.abc import Iterable

from ...ir.scalar import Const
from ...ir.types import DType, boolean, f16
from .. import scalar_code

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
