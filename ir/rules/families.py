"""Families of ops that rules quantify over, and the small questions their guards ask."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from ..types import DimLike, DType, Shape

UNARY = ("neg", "abs", "sign", "exp", "expm1", "log", "log1p", "sqrt", "rsqrt", "tanh", "sigmoid", "erf", "sin", "cos", "floor",
         "ceil", "round", "is_nan", "is_finite", "logical_not", "stop_gradient", "cast")
BINARY = ("add", "sub", "mul", "div", "floordiv", "mod", "pow", "maximum", "minimum", "atan2", "eq", "ne", "lt", "le", "gt", "ge",
          "logical_and", "logical_or", "logical_xor", "bit_and", "bit_or", "bit_xor", "shl", "shr")
ELEMENTWISE = (*UNARY, *BINARY, "select")


def holds_all(wide: DType, narrow: DType) -> bool:
    """Whether every value of `narrow` is a value of `wide`, so that a cast to it loses nothing."""
    if wide == narrow or narrow.kind == "b":
        return True
    if narrow.is_integer:
        bits = 8 * narrow.size - (narrow.kind == "i")
        if wide.is_float:
            return bits <= {"bf16": 8, "f16": 11, "f32": 24, "f64": 53}[wide.name]
        return wide.kind != "b" and bits <= 8 * wide.size - (wide.kind == "i") and (wide.kind == "i" or narrow.kind == "u")
    return narrow.is_float and wide.is_float and wide.size > narrow.size


def ascending(axes: Sequence[int]) -> bool:
    return all(a < b for a, b in itertools.pairwise(axes))


def without(axes: Sequence[int], rank: int) -> tuple[int, ...]:
    """The axes of a value of `rank` that are not among `axes`."""
    return tuple(i for i in range(rank) if i not in axes)


def squeezed(shape: Shape) -> Shape:
    return tuple(d for d in shape if d != 1)


def power_of_two(value: Any, dtype: DType) -> bool:
    """Whether multiplying by 1/value is exactly dividing by value in this float type."""
    if not dtype.is_float or not value or not math.isfinite(value):
        return False
    mantissa, exponent = math.frexp(abs(value))
    return mantissa == 0.5 and -10 <= exponent <= 10


def steps(start: DimLike, stop: DimLike, stride: int) -> DimLike:
    """How many elements start:stop:stride takes."""
    return stop - start if stride == 1 else -(-(int(stop) - int(start)) // stride)  # type: ignore[arg-type]
