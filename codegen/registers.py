"""How values of each dtype look in registers and in memory, and the way between them.

`lanes == 1` means scalar types, else `<lanes x T>`. Booleans are i1 in registers and i8 in memory. float16 and bfloat16
are f32 in registers and are rounded where they are stored or where a cast says so.
"""

from __future__ import annotations

import functools
import struct

import numpy as np

from ..ir.types import DType, bf16, boolean, f16, f32, f64
from .text_builder import Writer

# bf16 is moved as the 16-bit integer that it is: LLVM's own bfloat crashes where a processor has no instructions for it
_NATIVE_FLOATS = {f16: "half", f32: "float", f64: "double"}


def wide(element: str, lanes: int) -> str:
    """LLVM's type of so many lanes; of one lane the element itself."""
    return element if lanes == 1 else f"<{lanes} x {element}>"


def compute_dtype(dtype: DType) -> DType:
    """The dtype a value of `dtype` has in registers: f32 for f16 and bf16."""
    return f32 if dtype in (f16, bf16) else dtype


@functools.cache
def register_type(dtype: DType, lanes: int) -> str:
    """LLVM type of a value in registers."""
    return wide(_element(compute_dtype(dtype)), lanes)


@functools.cache
def memory_type(dtype: DType, lanes: int) -> str:
    """LLVM type of a value as it is loaded and stored."""
    return wide("i8" if dtype == boolean else _element(dtype), lanes)


def _element(dtype: DType) -> str:
    if dtype in _NATIVE_FLOATS:
        return _NATIVE_FLOATS[dtype]
    return "i1" if dtype == boolean else f"i{8 * dtype.size}"


@functools.cache
def suffix(dtype: DType, lanes: int) -> str:
    """The type part of an intrinsic's name: 'v16f32', 'i64'."""
    reg = compute_dtype(dtype)
    bits = 1 if reg == boolean else 8 * reg.size
    return ("" if lanes == 1 else f"v{lanes}") + ("f" if reg.is_float else "i") + str(bits)


def constant(dtype: DType, value: float | int | bool, lanes: int) -> str:
    """An operand holding `value` (rounded to `dtype`) in every lane; integers wrap as numpy's do."""
    return _constant(dtype, value, repr(value), lanes)


@functools.lru_cache(maxsize=1024)
def _constant(dtype: DType, value: float | int | bool, text: str, lanes: int) -> str:
    """`text`: tells 0.0 from -0.0."""
    if dtype == boolean:
        scalar = "true" if value else "false"
    elif dtype.is_float:
        with np.errstate(over="ignore"):
            rounded = float(np.asarray(value).astype(dtype.numpy))
        scalar = _float_literal(rounded)
    else:
        bits = 8 * dtype.size
        wrapped = int(value) & ((1 << bits) - 1)
        scalar = str(wrapped - (1 << bits) if dtype.kind == "i" and wrapped >> (bits - 1) else wrapped)
    return scalar if lanes == 1 else f"splat ({_element(compute_dtype(dtype))} {scalar})"


def _float_literal(value: float) -> str:
    return f"0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X}"


def is_constant(operand: str) -> bool:
    """Whether an operand is known while the text is written, and no register."""
    return not operand.startswith("%")


def constant_value(operand: str) -> float | None:
    """The number in a float constant operand; None for anything else."""
    literal = operand.removesuffix(")").split(" ")[-1]
    if is_constant(operand) and literal.startswith("0x"):
        return float(struct.unpack("<d", struct.pack("<Q", int(literal, 16)))[0])
    return None


def integer_value(operand: str) -> int | None:
    """The number in an integer constant operand; None for anything else."""
    literal = operand.removesuffix(")").split(" ")[-1]
    return int(literal) if is_constant(operand) and literal.removeprefix("-").isdigit() else None


def from_memory(w: Writer, dtype: DType, lanes: int, value: str) -> str:
    """A loaded value of memory_type as a value of register_type."""
    if dtype == boolean:
        return w.value(f"icmp ne {memory_type(dtype, lanes)} {value}, {'0' if lanes == 1 else 'zeroinitializer'}")
    if dtype == bf16:
        return _from_bf16(w, lanes, value)
    if dtype == f16:
        return w.value(f"fpext {memory_type(dtype, lanes)} {value} to {register_type(dtype, lanes)}")
    return value


def to_memory(w: Writer, dtype: DType, lanes: int, value: str) -> str:
    """A value of register_type as it is stored. f16 and bf16 round to nearest even and keep NaN."""
    if dtype == boolean:
        return w.value(f"zext {register_type(dtype, lanes)} {value} to {memory_type(dtype, lanes)}")
    if dtype == f16:
        return w.value(f"fptrunc {register_type(dtype, lanes)} {value} to {memory_type(dtype, lanes)}")
    return _to_bf16(w, lanes, value) if dtype == bf16 else value


def _from_bf16(w: Writer, lanes: int, value: str) -> str:
    """bfloat16 is the upper half of a float32."""
    ints = wide("i32", lanes)
    widened = w.value(f"zext {wide('i16', lanes)} {value} to {ints}")
    shifted = w.value(f"shl {ints} {widened}, {'16' if lanes == 1 else 'splat (i32 16)'}")
    return w.value(f"bitcast {ints} {shifted} to {wide('float', lanes)}")


def _to_bf16(w: Writer, lanes: int, value: str) -> str:
    """The upper half of the bits, rounded by an integer addition: LLVM would call a library where AVX512-BF16 is absent,
    and that instruction flushes subnormals."""
    floats, ints = wide("float", lanes), wide("i32", lanes)

    def const(number: int) -> str:
        return str(number) if lanes == 1 else f"splat (i32 {number})"

    bits = w.value(f"bitcast {floats} {value} to {ints}")
    upper = w.value(f"lshr {ints} {bits}, {const(16)}")
    odd = w.value(f"and {ints} {upper}, {const(1)}")
    half = w.value(f"add {ints} {bits}, {const(0x7FFF)}")
    rounded = w.value(f"lshr {ints} {w.value(f'add {ints} {half}, {odd}')}, {const(16)}")
    nan = w.value(f"fcmp uno {floats} {value}, {value}")
    quiet = w.value(f"or {ints} {upper}, {const(0x40)}")
    chosen = w.value(f"select {wide('i1', lanes)} {nan}, {ints} {quiet}, {ints} {rounded}")
    return w.value(f"trunc {ints} {chosen} to {wide('i16', lanes)}")


def round_to(w: Writer, dtype: DType, lanes: int, value: str) -> str:
    """A register value of f16 or bf16 rounded as a store and load would; other dtypes unchanged."""
    return from_memory(w, dtype, lanes, to_memory(w, dtype, lanes, value)) if dtype in (f16, bf16) else value
