"""Operations of one operand, element by element. Integers become floatx where the result is no integer."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ..dtypes import ir_dtype
from ..ir import build
from ..ir.graph import Value
from ..ir.types import boolean, i32
from ..tracing import operation
from ._support import as_value, cast_value, float_value, wrap

__all__ = [
    "abs",
    "absolute",
    "angle",
    "arccos",
    "arccosh",
    "arcsin",
    "arcsinh",
    "arctan",
    "arctanh",
    "bitwise_invert",
    "bitwise_not",
    "cast",
    "cbrt",
    "ceil",
    "conj",
    "conjugate",
    "cos",
    "cosh",
    "deg2rad",
    "erf",
    "erfc",
    "erfinv",
    "exp",
    "exp2",
    "expm1",
    "fabs",
    "floor",
    "imag",
    "isfinite",
    "isinf",
    "isnan",
    "isneginf",
    "isposinf",
    "isreal",
    "log",
    "log1p",
    "log2",
    "log10",
    "logical_not",
    "nan_to_num",
    "negative",
    "rad2deg",
    "real",
    "reciprocal",
    "round",
    "rsqrt",
    "saturate_cast",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "sqrt",
    "square",
    "stop_gradient",
    "tan",
    "tanh",
    "trunc",
]


def _float_op(name: str, doc: str, body: Callable[[Value], Value]) -> Any:
    def function(x: Any) -> Any:
        return wrap(body(float_value(x)))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"{doc} Integers and bools become floatx."
    return operation(function)


exp = _float_op("exp", "e to the x, element by element.", build.exp)
expm1 = _float_op("expm1", "exp(x) - 1, accurate near 0.", build.expm1)
log = _float_op("log", "The natural logarithm.", build.log)
log1p = _float_op("log1p", "log(1 + x), accurate near 0.", build.log1p)
sqrt = _float_op("sqrt", "The square root.", build.sqrt)
rsqrt = _float_op("rsqrt", "1 / sqrt(x).", build.rsqrt)
tanh = _float_op("tanh", "The hyperbolic tangent.", build.tanh)
erf = _float_op("erf", "The error function.", build.erf)
erfc = _float_op("erfc", "1 - erf(x).", lambda x: 1 - build.erf(x))
sin = _float_op("sin", "The sine of an angle in radians.", build.sin)
cos = _float_op("cos", "The cosine of an angle in radians.", build.cos)
tan = _float_op("tan", "The tangent of an angle in radians.", lambda x: build.sin(x) / build.cos(x))
exp2 = _float_op("exp2", "2 to the x.", lambda x: build.exp(x * math.log(2)))
log2 = _float_op("log2", "The logarithm to base 2.", lambda x: build.log(x) / math.log(2))
log10 = _float_op("log10", "The logarithm to base 10.", lambda x: build.log(x) / math.log(10))
reciprocal = _float_op("reciprocal", "1 / x.", lambda x: 1 / x)
sinh = _float_op("sinh", "The hyperbolic sine.", lambda x: _sinh(x))
cosh = _float_op("cosh", "The hyperbolic cosine.", lambda x: (build.exp(x) + build.exp(-x)) * 0.5)
arctan = _float_op("arctan", "The inverse tangent.", lambda x: build.atan2(x, build.ones_like(x)))
arcsin = _float_op("arcsin", "The inverse sine; NaN outside [-1, 1].", lambda x: build.atan2(x, build.sqrt((1 - x) * (1 + x))))
arccos = _float_op("arccos", "The inverse cosine; NaN outside [-1, 1].", lambda x: build.atan2(build.sqrt((1 - x) * (1 + x)), x))
arcsinh = _float_op("arcsinh", "The inverse hyperbolic sine.", lambda x: _arcsinh(x))
arccosh = _float_op("arccosh", "The inverse hyperbolic cosine; NaN below 1.", lambda x: build.log(x + build.sqrt((x - 1) * (x + 1))))
arctanh = _float_op("arctanh", "The inverse hyperbolic tangent.", lambda x: (build.log1p(x) - build.log1p(-x)) * 0.5)
deg2rad = _float_op("deg2rad", "Degrees to radians.", lambda x: x * (math.pi / 180))
rad2deg = _float_op("rad2deg", "Radians to degrees.", lambda x: x * (180 / math.pi))
floor = _float_op("floor", "The largest integer not above x.", build.floor)
ceil = _float_op("ceil", "The smallest integer not below x.", build.ceil)
cbrt = _float_op("cbrt", "The cube root.", lambda x: build.sign(x) * build.pow(build.abs(x), build.full_like(x, 1 / 3)))
sinc = _float_op("sinc", "sin(pi x) / (pi x), 1 at 0.", lambda x: _sinc(x))


def _sinh(x: Value) -> Value:
    grown = build.expm1(x)  # exact near 0, where exp(x) - exp(-x) would cancel
    small = (grown + grown / (grown + 1)) * 0.5
    return build.select(build.lt(build.abs(x), 1.0), small, (build.exp(x) - build.exp(-x)) * 0.5)


def _arcsinh(x: Value) -> Value:
    below = build.lt(x, 0.0)  # a select and not a sign, whose derivative would make that at 0 vanish
    size = build.select(below, -x, x)
    large = build.gt(size, 1e8)  # where squares would overflow
    safe = build.select(large, 1.0, size)
    result = build.log1p(safe + safe * safe / (1 + build.sqrt(safe * safe + 1)))
    result = build.select(large, build.log(build.select(large, size, 1.0)) + math.log(2), result)
    return build.select(below, -result, result)


def _sinc(x: Value) -> Value:
    zero = build.eq(x, 0.0)
    angle = build.select(zero, 1.0, x) * math.pi
    return build.select(zero, 1.0, build.sin(angle) / angle)


@operation
def erfinv(x: Any) -> Any:
    """The inverse of erf, on (-1, 1); float32 to about 2 units in the last place, infinite at -1 and 1."""
    return wrap(erfinv_value(float_value(x)))


# M. Giles, "Approximating the erfinv function" (2012): polynomials in w = -log(1 - x^2), one for the middle (in w - 2.5, w < 5)
# and one for the tails (in sqrt(w) - 3); highest power first.
_ERFINV_MIDDLE = (2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
                  -0.00417768164, 0.246640727, 1.50140941)
_ERFINV_TAILS = (-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773, -0.0076224613,
                 0.00943887047, 1.00167406, 2.83297682)


def erfinv_value(x: Value) -> Value:
    """erfinv of a float value; float64 gets two steps of Newton's method on top of the float32 fit."""
    w = -build.log((1 - x) * (1 + x))
    middle = build.lt(w, 5.0)
    t = build.select(middle, w - 2.5, build.sqrt(w) - 3.0)
    p = build.select(middle, build.full_like(x, _ERFINV_MIDDLE[0]), _ERFINV_TAILS[0])
    for inner, outer in zip(_ERFINV_MIDDLE[1:], _ERFINV_TAILS[1:], strict=True):
        p = p * t + build.select(middle, build.full_like(x, inner), outer)
    y = p * x
    if x.dtype.name == "f64":
        for _ in range(2):
            y = y - (build.erf(y) - x) * build.exp(y * y) * (math.sqrt(math.pi) / 2)
    return build.select(build.eq(build.abs(x), 1.0), x * math.inf, y)


@operation
def absolute(x: Any) -> Any:
    """The absolute value."""
    value = as_value(x)
    return wrap(value if value.dtype.kind in "bu" else build.abs(value))


abs = absolute
fabs = _float_op("fabs", "The absolute value, as a float.", build.abs)


@operation
def negative(x: Any) -> Any:
    """-x."""
    return wrap(build.neg(as_value(x)))


@operation
def sign(x: Any) -> Any:
    """-1, 0 or 1; NaN of NaN."""
    value = as_value(x)
    return wrap(value if value.dtype.kind == "b" else build.sign(value))


@operation
def square(x: Any) -> Any:
    """x * x; bools become int32."""
    value = as_value(x)
    value = cast_value(value, i32) if value.dtype.kind == "b" else value
    return wrap(build.square(value))


@operation
def round(x: Any, decimals: int = 0) -> Any:
    """The nearest integer (halves to the even one), or the nearest multiple of 10 ** -decimals."""
    value = as_value(x)
    if not value.dtype.is_float:
        if decimals >= 0:
            return wrap(cast_value(value, i32) if value.dtype.kind == "b" else value)
        return wrap(cast_value(_rounded(float_value(wrap(value)), decimals), value.dtype))
    return wrap(_rounded(value, decimals))


def _rounded(value: Value, decimals: int) -> Value:
    if not decimals:
        return build.round(value)
    factor = 10.0 ** decimals
    return build.round(value * factor) / factor


@operation
def trunc(x: Any) -> Any:
    """x with its fraction cut off, towards 0."""
    value = as_value(x)
    if not value.dtype.is_float:
        return wrap(cast_value(value, i32) if value.dtype.kind == "b" else value)
    return wrap(build.select(build.lt(value, 0.0), build.ceil(value), build.floor(value)))


@operation
def isnan(x: Any) -> Any:
    """Whether x is NaN; bool."""
    value = as_value(x)
    return wrap(build.is_nan(value) if value.dtype.is_float else build.constant(value.graph, False, value.type.with_dtype(boolean)))


@operation
def isfinite(x: Any) -> Any:
    """Whether x is neither NaN nor infinite; bool."""
    value = as_value(x)
    return wrap(build.is_finite(value) if value.dtype.is_float else build.constant(value.graph, True, value.type.with_dtype(boolean)))


def _infinite(name: str, doc: str, test: Callable[[Value], Value]) -> Any:
    def function(x: Any) -> Any:
        value = as_value(x)
        if not value.dtype.is_float:
            return wrap(build.constant(value.graph, False, value.type.with_dtype(boolean)))
        return wrap(test(value))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


isinf = _infinite("isinf", "Whether x is infinite; bool.", lambda x: build.eq(build.abs(x), math.inf))
isposinf = _infinite("isposinf", "Whether x is +inf; bool.", lambda x: build.eq(x, math.inf))
isneginf = _infinite("isneginf", "Whether x is -inf; bool.", lambda x: build.eq(x, -math.inf))


@operation
def logical_not(x: Any) -> Any:
    """Whether x is false (zero); bool."""
    return wrap(build.logical_not(cast_value(as_value(x), boolean)))


@operation
def bitwise_not(x: Any) -> Any:
    """Every bit flipped; of a bool, logical_not."""
    value = as_value(x)
    if value.dtype.kind == "b":
        return wrap(build.logical_not(value))
    return wrap(build.bit_xor(value, -1 if value.dtype.kind == "i" else 2 ** (8 * value.dtype.size) - 1))


bitwise_invert = bitwise_not


@operation
def signbit(x: Any) -> Any:
    """Whether x is below zero (a negative zero counts); bool."""
    value = as_value(x)
    if value.dtype.kind in "bu":
        return wrap(build.constant(value.graph, False, value.type.with_dtype(boolean)))
    if value.dtype.kind == "i":
        return wrap(build.lt(value, 0))
    return wrap(build.lt(build.select(build.eq(value, 0.0), 1 / value, value), 0.0))


@operation
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Any:
    """x with NaN and infinities replaced (by 0 and the largest finite values by default)."""
    value = as_value(x)
    if not value.dtype.is_float:
        return wrap(value)
    limits = wrap(value).dtype
    value = build.select(build.is_nan(value), float(nan), value)
    value = build.select(build.eq(value, math.inf), float(limits.max if posinf is None else posinf), value)
    return wrap(build.select(build.eq(value, -math.inf), float(limits.min if neginf is None else neginf), value))


@operation(tensors="x")
def cast(x: Any, dtype: Any) -> Any:
    """x in another dtype: float to integer truncates, to bool asks for non-zero. The tensor itself if it has that dtype."""
    value = as_value(x)
    wanted = ir_dtype(dtype)
    if value.dtype == wanted and hasattr(x, "value") and not hasattr(x, "assign_add"):
        return x
    return wrap(cast_value(value, wanted))


@operation(tensors="x")
def saturate_cast(x: Any, dtype: Any) -> Any:
    """x in another dtype, values outside its range replaced by its limits."""
    from ..dtypes import standardize_dtype

    value = as_value(x)
    target = standardize_dtype(dtype)
    if ir_dtype(target).kind == "b" or value.dtype.kind == "b":
        return wrap(cast_value(value, ir_dtype(target)))
    source = wrap(value).dtype
    low, high = max(target.min, source.min), min(target.max, source.max)
    if low > source.min:
        value = build.maximum(value, low)
    if high < source.max:
        value = build.minimum(value, high)
    return wrap(cast_value(value, ir_dtype(target)))


@operation
def stop_gradient(variable: Any) -> Any:
    """x itself, through which no gradient flows."""
    value = as_value(variable)
    return wrap(build.stop_gradient(value) if value.dtype.is_float else value)


@operation
def real(x: Any) -> Any:
    """The real part: of real numbers themselves."""
    return wrap(as_value(x))


@operation
def imag(x: Any) -> Any:
    """The imaginary part: of real numbers 0."""
    return wrap(build.zeros_like(as_value(x)))


@operation
def conjugate(x: Any) -> Any:
    """The complex conjugate: of real numbers themselves."""
    return wrap(as_value(x))


conj = conjugate


@operation
def isreal(x: Any) -> Any:
    """Whether the imaginary part is 0; bool."""
    value = as_value(x)
    return wrap(build.constant(value.graph, True, value.type.with_dtype(boolean)))


@operation
def angle(x: Any) -> Any:
    """The angle of a number in the complex plane: 0, or pi below 0."""
    value = float_value(x)
    return wrap(build.atan2(build.zeros_like(value), value))
