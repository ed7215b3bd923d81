"""A small expression language over LLVM vectors, so that approximations read like formulas.

`Math` fixes the writer, the float type and the number of lanes; `Vec` is an operand with operators. Floats, integers of
the same width and conditions are the three kinds. No operation here is ever contracted or reordered: results have the
same bits for every number of lanes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Union

from ...ir.types import DType, f32, f64
from ..text_builder import Writer

Operand = Union["Vec", float, int]
FLOAT, INTEGER, CONDITION = "f", "i", "b"


class Vec:
    """An operand of a Math: kind is FLOAT, INTEGER (as wide as the float) or CONDITION (i1)."""

    def __init__(self, math: Math, name: str, kind: str) -> None:
        self.math, self.name, self.kind = math, name, kind

    def _binary(self, float_op: str, int_op: str, other: Operand, swapped: bool = False) -> Vec:
        a, b = self.name, self.math.operand(other, self.kind)
        op = float_op if self.kind == FLOAT else int_op
        if swapped:
            a, b = b, a
        return self.math.emit(f"{op} {self.math.type(self.kind)} {a}, {b}", self.kind)

    def __add__(self, other: Operand) -> Vec:
        return self._binary("fadd", "add", other)

    def __radd__(self, other: Operand) -> Vec:
        return self._binary("fadd", "add", other, True)

    def __sub__(self, other: Operand) -> Vec:
        return self._binary("fsub", "sub", other)

    def __rsub__(self, other: Operand) -> Vec:
        return self._binary("fsub", "sub", other, True)

    def __mul__(self, other: Operand) -> Vec:
        return self._binary("fmul", "mul", other)

    def __rmul__(self, other: Operand) -> Vec:
        return self._binary("fmul", "mul", other, True)

    def __truediv__(self, other: Operand) -> Vec:
        return self._binary("fdiv", "sdiv", other)

    def __rtruediv__(self, other: Operand) -> Vec:
        return self._binary("fdiv", "sdiv", other, True)

    def __neg__(self) -> Vec:
        return self.math.emit(f"fneg {self.math.float_type} {self.name}", FLOAT)

    def __and__(self, other: Operand | Vec) -> Vec:
        return self._binary("and", "and", other)

    def __or__(self, other: Operand | Vec) -> Vec:
        return self._binary("or", "or", other)

    def __xor__(self, other: Operand | Vec) -> Vec:
        return self._binary("xor", "xor", other)

    def __lshift__(self, count: int) -> Vec:
        return self._binary("shl", "shl", count)

    def __rshift__(self, count: int) -> Vec:
        """Arithmetic shift."""
        return self._binary("ashr", "ashr", count)

    def compare(self, predicate: str, other: Operand) -> Vec:
        """`predicate` as in LLVM: 'olt', 'ugt', 'uno' for floats, 'slt', 'ult', 'eq' for integers."""
        word = "fcmp" if self.kind == FLOAT else "icmp"
        b = self.math.operand(other, self.kind)
        return self.math.emit(f"{word} {predicate} {self.math.type(self.kind)} {self.name}, {b}", CONDITION)

    def __lt__(self, other: Operand) -> Vec:
        return self.compare("olt" if self.kind == FLOAT else "slt", other)

    def __gt__(self, other: Operand) -> Vec:
        return self.compare("ogt" if self.kind == FLOAT else "sgt", other)

    def equals(self, other: Operand) -> Vec:
        return self.compare("oeq" if self.kind == FLOAT else "eq", other)

    def is_nan(self) -> Vec:
        return self.compare("uno", self)


class Math:
    """The types of one approximation: f32 or f64, `lanes` at once (1: scalars)."""

    def __init__(self, w: Writer, dtype: DType, lanes: int) -> None:
        if dtype not in (f32, f64):
            raise TypeError(f"math functions compute in f32 or f64, not {dtype}")
        self.w, self.dtype, self.lanes = w, dtype, lanes
        self.single = dtype == f32
        self.float_element, self.int_element = ("float", "i32") if self.single else ("double", "i64")
        self.float_type, self.int_type, self.bool_type = map(self.wide, (self.float_element, self.int_element, "i1"))
        self.mantissa, self.bias = (23, 127) if self.single else (52, 1023)
        # Adding this number leaves the nearest integer in the low mantissa bits (their upper half of range is kept free).
        self.magic = 1.5 * 2.0**self.mantissa
        self.suffix = ("" if lanes == 1 else f"v{lanes}") + dtype.name

    def wide(self, element: str) -> str:
        return element if self.lanes == 1 else f"<{self.lanes} x {element}>"

    def type(self, kind: str) -> str:
        return {FLOAT: self.float_type, INTEGER: self.int_type, CONDITION: self.bool_type}[kind]

    def vec(self, name: str, kind: str = FLOAT) -> Vec:
        return Vec(self, name, kind)

    def emit(self, text: str, kind: str) -> Vec:
        return Vec(self, self.w.value(text), kind)

    def operand(self, value: Operand, kind: str) -> str:
        """The name of a Vec, or a Python number as a constant of `kind`."""
        if isinstance(value, Vec):
            return value.name
        if kind == FLOAT:
            number = float(value)
            if self.single:
                number = struct.unpack("<f", struct.pack("<f", number))[0]
            literal = f"0x{struct.unpack('<Q', struct.pack('<d', number))[0]:016X}"
            element = self.float_element
        elif kind == INTEGER:
            bits = 32 if self.single else 64
            wrapped = int(value) & ((1 << bits) - 1)
            literal = str(wrapped - (1 << bits) if wrapped >> (bits - 1) else wrapped)
            element = self.int_element
        else:
            literal, element = ("true" if value else "false"), "i1"
        return literal if self.lanes == 1 else f"splat ({element} {literal})"

    def constant(self, value: float | int, kind: str = FLOAT) -> Vec:
        return Vec(self, self.operand(value, kind), kind)

    def _intrinsic(self, name: str, *args: Operand) -> Vec:
        operands = [(self.float_type, self.operand(a, FLOAT)) for a in args]
        suffix = ("" if self.lanes == 1 else f"v{self.lanes}") + ("f32" if self.single else "f64")
        return Vec(self, self.w.call(self.float_type, f"llvm.{name}.{suffix}", *operands), FLOAT)

    def fma(self, a: Operand, b: Operand, c: Operand) -> Vec:
        return self._intrinsic("fma", a, b, c)

    def abs(self, x: Vec) -> Vec:
        return self._intrinsic("fabs", x)

    def sqrt(self, x: Vec) -> Vec:
        return self._intrinsic("sqrt", x)

    def floor(self, x: Vec) -> Vec:
        return self._intrinsic("floor", x)

    def copysign(self, magnitude: Vec, sign: Vec) -> Vec:
        return self._intrinsic("copysign", magnitude, sign)

    def bits(self, x: Vec) -> Vec:
        return self.emit(f"bitcast {self.float_type} {x.name} to {self.int_type}", INTEGER)

    def from_bits(self, x: Vec) -> Vec:
        return self.emit(f"bitcast {self.int_type} {x.name} to {self.float_type}", FLOAT)

    def select(self, condition: Vec, a: Operand, b: Operand, kind: str = FLOAT) -> Vec:
        t = self.type(kind)
        text = f"select {self.bool_type} {condition.name}, {t} {self.operand(a, kind)}, {t} {self.operand(b, kind)}"
        return self.emit(text, kind)

    def at_most(self, x: Vec, limit: float) -> Vec:
        """min(x, limit); NaN stays NaN."""
        return self.select(x > limit, limit, x)

    def at_least(self, x: Vec, limit: float) -> Vec:
        """max(x, limit); NaN stays NaN."""
        return self.select(x < limit, limit, x)

    def polynomial(self, x: Vec, coefficients: Sequence[float]) -> Vec:
        """c0 + c1*x + ... by Horner's rule with fused multiply-adds."""
        total: Operand = coefficients[-1]
        for c in reversed(coefficients[:-1]):
            total = self.fma(total, x, c)
        assert isinstance(total, Vec)
        return total

    def small_integer_to_float(self, x: Vec) -> Vec:
        """Signed integers below 2^(mantissa-1) in size; f64 avoids a conversion that AVX2 lacks."""
        if self.single:
            return self.emit(f"sitofp {self.int_type} {x.name} to {self.float_type}", FLOAT)
        magic_bits = struct.unpack("<q", struct.pack("<d", self.magic))[0]
        return self.from_bits(x + magic_bits) - self.magic

    def power_of_two(self, shifted: Vec, bias: int) -> Vec:
        """2^(n + bias - self.bias) where `shifted` is n already in the place of the exponent bits."""
        return self.from_bits(shifted + (bias << self.mantissa))


def widen(x: Vec, to: Math) -> Vec:
    """f32 lanes as f64 lanes."""
    return to.emit(f"fpext {x.math.float_type} {x.name} to {to.float_type}", FLOAT)


def narrow(x: Vec, to: Math) -> Vec:
    """f64 lanes as f32 lanes, rounded to nearest."""
    return to.emit(f"fptrunc {x.math.float_type} {x.name} to {to.float_type}", FLOAT)
