"""Operations of two operands: Keras's promotion, numpy's broadcasting. Arithmetic, comparison, logic and bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..dtypes import DType, result_type
from ..ir import build
from ..ir.graph import Value
from ..tracing import operation
from ._support import aligned, kind, spread, wrap

__all__ = [
    "add", "arctan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "clip", "divide",
    "divide_no_nan", "equal", "floor_divide", "fmax", "fmin", "fmod", "greater", "greater_equal", "heaviside", "hypot", "isclose",
    "ldexp", "left_shift", "less", "less_equal", "logaddexp", "logaddexp2", "logical_and", "logical_or", "logical_xor", "maximum",
    "minimum", "mod", "multiply", "not_equal", "power", "right_shift", "select", "subtract", "true_divide", "where",
]

Pair = Callable[[Value, Value], Value]


def _pair_op(name: str, doc: str, body: Pair, on_bools: Pair | None = None, float_result: bool = False) -> Any:
    """`on_bools` computes where both are bool (else bools become int32); `float_result`: integers become floatx."""
    def function(x1: Any, x2: Any) -> Any:
        dtype: DType = result_type(kind(x1), kind(x2), float) if float_result else result_type(kind(x1), kind(x2))
        if dtype == "bool":
            if on_bools is not None:
                return wrap(on_bools(*aligned(name, x1, x2)))
            dtype = result_type("bool", int)
        return wrap(body(*aligned(name, x1, x2, dtype=dtype)))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


def _float_mod(a: Value, b: Value) -> Value:
    """C's fmod: the remainder has the sign of a."""
    if a.dtype.is_float:
        quotient = a / b
        return a - b * build.select(build.lt(quotient, 0.0), build.ceil(quotient), build.floor(quotient))
    remainder = build.mod(build.abs(a), build.abs(b)) if a.dtype.kind == "i" else build.mod(a, b)
    return build.select(build.lt(a, 0), -remainder, remainder) if a.dtype.kind == "i" else remainder


add = _pair_op("add", "x1 + x2; of bools, logical or.", build.add, build.logical_or)
subtract = _pair_op("subtract", "x1 - x2.", build.sub, build.logical_xor)
multiply = _pair_op("multiply", "x1 * x2; of bools, logical and.", build.mul, build.logical_and)
divide = _pair_op("divide", "x1 / x2; the quotient of integers is floatx.", build.div, float_result=True)
true_divide = divide
floor_divide = _pair_op("floor_divide", "floor(x1 / x2).", build.floordiv)
mod = _pair_op("mod", "The remainder of floor_divide: it has the sign of x2.", build.mod)
fmod = _pair_op("fmod", "The remainder of the quotient cut towards 0: it has the sign of x1.", _float_mod)
power = _pair_op("power", "x1 to the x2.", build.pow)
maximum = _pair_op("maximum", "The larger of both; NaN if either is.", build.maximum, build.logical_or)
minimum = _pair_op("minimum", "The smaller of both; NaN if either is.", build.minimum, build.logical_and)
arctan2 = _pair_op("arctan2", "The angle of the point (x2, x1).", build.atan2, float_result=True)
hypot = _pair_op("hypot", "sqrt(x1^2 + x2^2), without overflow on the way.", lambda a, b: _hypot(a, b), float_result=True)
logaddexp = _pair_op("logaddexp", "log(exp(x1) + exp(x2)), without overflow.", lambda a, b: _logaddexp(a, b), float_result=True)
logaddexp2 = _pair_op("logaddexp2", "log2(2^x1 + 2^x2), without overflow.",
                      lambda a, b: _logaddexp(a * math.log(2), b * math.log(2)) / math.log(2), float_result=True)
heaviside = _pair_op("heaviside", "0 below 0, 1 above, x2 at 0.", lambda a, b: _heaviside(a, b), float_result=True)
ldexp = _pair_op("ldexp", "x1 * 2^x2.", lambda a, b: a * build.exp(b * math.log(2)), float_result=True)


def _hypot(a: Value, b: Value) -> Value:
    a, b = build.abs(a), build.abs(b)
    high, low = build.maximum(a, b), build.minimum(a, b)
    flat = build.eq(high, 0.0)
    ratio = low / build.select(flat, 1.0, high)
    return build.select(build.eq(high, math.inf), high, high * build.sqrt(1 + ratio * ratio))


def _logaddexp(a: Value, b: Value) -> Value:
    # selects on a >= b, so that the derivative where a == b is a half each
    above = build.ge(a, b)
    high = build.select(above, a, b)
    difference = build.select(above, b - a, a - b)
    infinite = build.logical_and(build.eq(a, b), build.logical_not(build.is_finite(a)))  # inf - inf would be NaN
    return build.select(infinite, a, high + build.log1p(build.exp(difference)))


def _heaviside(a: Value, b: Value) -> Value:
    step = build.select(build.lt(a, 0.0), build.zeros_like(a), build.select(build.eq(a, 0.0), b, 1.0))
    return build.select(build.is_nan(a), a, step)


@operation
def divide_no_nan(x1: Any, x2: Any) -> Any:
    """x1 / x2, and 0 where x2 is 0."""
    a, b = aligned("divide_no_nan", x1, x2, dtype=result_type(kind(x1), kind(x2), float))
    zero = build.eq(b, 0.0)
    return wrap(build.select(zero, 0.0, a / build.select(zero, 1.0, b)))


@operation
def fmax(x1: Any, x2: Any) -> Any:
    """The larger of both; where one is NaN, the other."""
    a, b = aligned("fmax", x1, x2)
    return wrap(_ignoring_nan(a, b, build.maximum))


@operation
def fmin(x1: Any, x2: Any) -> Any:
    """The smaller of both; where one is NaN, the other."""
    a, b = aligned("fmin", x1, x2)
    return wrap(_ignoring_nan(a, b, build.minimum))


def _ignoring_nan(a: Value, b: Value, body: Pair) -> Value:
    if not a.dtype.is_float:
        return body(a, b)
    return build.select(build.is_nan(a), b, build.select(build.is_nan(b), a, body(a, b)))


# -- comparison ---------------------------------------------------------------------------------------------------
def _comparison(name: str, doc: str, body: Pair) -> Any:
    def function(x1: Any, x2: Any) -> Any:
        dtype = result_type(kind(x1), kind(x2))
        if dtype == "bool" and name not in ("equal", "not_equal"):
            dtype = result_type("bool", int)
        return wrap(body(*aligned(name, x1, x2, dtype=dtype)))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}, element by element; bool. Nothing is true of NaN, but that it is unequal."
    return operation(function)


equal = _comparison("equal", "x1 == x2", build.eq)
not_equal = _comparison("not_equal", "x1 != x2", build.ne)
less = _comparison("less", "x1 < x2", build.lt)
less_equal = _comparison("less_equal", "x1 <= x2", build.le)
greater = _comparison("greater", "x1 > x2", build.gt)
greater_equal = _comparison("greater_equal", "x1 >= x2", build.ge)


@operation(tensors="x1 x2")
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether |x1 - x2| <= atol + rtol |x2|, element by element; equal infinities are close."""
    a, b = aligned("isclose", x1, x2, dtype=result_type(kind(x1), kind(x2), float))
    close = build.logical_and(build.le(build.abs(a - b), build.abs(b) * rtol + atol), build.is_finite(b))
    close = build.logical_or(close, build.eq(a, b))
    return wrap(build.logical_or(close, build.logical_and(build.is_nan(a), build.is_nan(b))) if equal_nan else close)


# -- logic and bits -----------------------------------------------------------------------------------------------
def _logical(name: str, doc: str, body: Pair) -> Any:
    def function(x1: Any, x2: Any) -> Any:
        return wrap(body(*aligned(name, x1, x2, dtype="bool")))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc}; numbers count as true unless zero."
    return operation(function)


logical_and = _logical("logical_and", "Whether both are true", build.logical_and)
logical_or = _logical("logical_or", "Whether at least one is true", build.logical_or)
logical_xor = _logical("logical_xor", "Whether exactly one is true", build.logical_xor)


def _bitwise(name: str, doc: str, body: Pair, on_bools: Pair | None = None) -> Any:
    def function(x: Any, y: Any) -> Any:
        dtype = result_type(kind(x), kind(y))
        if dtype == "bool" and on_bools is not None:
            return wrap(on_bools(*aligned(name, x, y)))
        if not dtype.is_integer:
            raise TypeError(f"{name}: expected integers, received {dtype}")
        return wrap(body(*aligned(name, x, y, dtype=dtype)))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


bitwise_and = _bitwise("bitwise_and", "The bits that both have.", build.bit_and, build.logical_and)
bitwise_or = _bitwise("bitwise_or", "The bits that either has.", build.bit_or, build.logical_or)
bitwise_xor = _bitwise("bitwise_xor", "The bits that just one has.", build.bit_xor, build.logical_xor)
left_shift = _bitwise("left_shift", "The bits of x moved up by y places.", build.shl)
right_shift = _bitwise("right_shift", "The bits of x moved down by y places; the sign fills in.", build.shr)
bitwise_left_shift = left_shift
bitwise_right_shift = right_shift


# -- three operands -----------------------------------------------------------------------------------------------
@operation
def clip(x: Any, x_min: Any, x_max: Any) -> Any:
    """x kept within [x_min, x_max]; NaN stays NaN."""
    # the limits take x's dtype, as in Keras, unless they are tensors of a wider one
    dtype = result_type(kind(x), kind(x_min), kind(x_max))
    if dtype == "bool":
        dtype = result_type("bool", int)
    value, low, high = aligned("clip", x, x_min, x_max, dtype=dtype)
    return wrap(build.minimum(build.maximum(value, low), high))


@operation(tensors="condition x1 x2")
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where the condition holds, else x2. With the condition alone, see `nonzero`."""
    if x1 is None and x2 is None:
        from .indexing import nonzero

        return nonzero(condition)
    if x1 is None or x2 is None:
        raise ValueError("`x1` and `x2` either both should be `None` or both should have non-None value.")
    dtype = result_type(kind(x1), kind(x2))
    return wrap(build.select(*spread("where", (condition, "bool"), (x1, dtype), (x2, dtype))))


def select(condlist: Any, choicelist: Any, default: Any = 0) -> Any:
    """For each element the choice whose condition is the first to hold, else the default."""
    if len(condlist) != len(choicelist) or not condlist:
        raise ValueError(f"select: {len(condlist)} conditions for {len(choicelist)} choices")
    result = default
    for condition, choice in reversed(list(zip(condlist, choicelist, strict=True))):
        result = where(condition, choice, result)
    return result
