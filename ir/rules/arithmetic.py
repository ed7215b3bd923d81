"""Identities of arithmetic. Rules on floats are exact, signed zeros and NaNs included, or marked inexact."""

from __future__ import annotations

from ..graph import Value
from ..patterns import AnyOp, Equation, Pat, Splat, derive, p, splat
from ..rewrite import rule
from .families import power_of_two

INT = ({"x": "i32[2, 3]"}, {"x": "u8[4]"})
INTS = ({"x": "i32[2, 3]", "y": "i32[2, 3]"}, {"x": "u32[4]", "y": "u32[4]"})
FLOATS = ({"x": "f32[2, 3]", "y": "f32[2, 3]"}, {"x": "f64[5]", "y": "f64[5]"})


def _integer(x: Value) -> bool:
    return x.dtype.is_integer


def _float(x: Value) -> bool:
    return x.dtype.is_float


# -- neutral elements ---------------------------------------------------------------------------------------------
@rule()
def multiply_by_one(x: Pat) -> Equation:
    return x * 1, x


@rule(examples=FLOATS)
def divide_by_one(x: Pat) -> Equation:
    return x / 1, x


@rule(where=_integer, examples=INT)
def add_integer_zero(x: Pat) -> Equation:
    return x + 0, x


@rule(examples=FLOATS)
def add_minus_zero(x: Pat) -> Equation:
    """-0.0 is the neutral element of float addition; 0.0 is not, for (-0.0) + 0.0 is 0.0."""
    return x + -0.0, x


@rule(inexact=True, where=_float, examples=FLOATS)
def add_zero(x: Pat) -> Equation:
    """Turns no value into another but -0.0, which would have become 0.0."""
    return x + 0, x


@rule()
def subtract_zero(x: Pat) -> Equation:
    return x - 0, x


@rule(where=_integer, examples=INT)
def floordiv_by_one(x: Pat) -> Equation:
    return p.floordiv(x, 1), x


@rule(where=_integer, examples=INT)
def multiply_by_integer_zero(x: Pat) -> Equation:
    return x * 0, splat(0, x.type)


@rule(inexact=True, where=_float, examples=FLOATS)
def multiply_by_zero(x: Pat) -> Equation:
    """Hides the NaNs and infinities of x."""
    return x * 0, splat(0.0, x.type)


@rule(where=_integer, examples=INT)
def subtract_itself(x: Pat) -> Equation:
    return x - x, splat(0, x.type)


# -- signs ----------------------------------------------------------------------------------------------------------
@rule()
def negate_twice(x: Pat) -> Equation:
    return p.neg(-x), x


@rule(examples=({"x": "f32[2, 3]"}, {"x": "i32[4]"}))
def multiply_by_minus_one(x: Pat) -> Equation:
    return x * -1, -x


@rule()
def add_negated(x: Pat, y: Pat) -> Equation:
    return x + -y, x - y


@rule()
def subtract_negated(x: Pat, y: Pat) -> Equation:
    return x - -y, x + y


@rule()
def negated_factors(x: Pat, y: Pat) -> Equation:
    return -x * -y, x * y


@rule(examples=FLOATS)
def negated_quotient(x: Pat, y: Pat) -> Equation:
    return -x / -y, x / y


@rule(where=lambda c: c.dtype.is_float or c.dtype.kind == "i", examples=({"c": (3.0, "f32[2, 3]")}, {"x": "i32[2]", "c": (3, "i32[2]")}))
def fold_sign_into_factor(x: Pat, c: Splat) -> Equation:
    return -x * c, x * splat(derive(lambda v: -v.node.attrs["value"], c), c.type)


@rule()
def hoist_sign_of_factor(x: Pat, y: Pat) -> Equation:
    """Outwards, where an addition may take it in."""
    return -x * y, -(x * y)


@rule(examples=FLOATS)
def hoist_sign_of_numerator(x: Pat, y: Pat) -> Equation:
    return -x / y, -(x / y)


@rule()
def add_to_negated(x: Pat, y: Pat) -> Equation:
    return -x + y, y - x


@rule(inexact=True, where=_float, examples=FLOATS)
def negate_difference(x: Pat, y: Pat) -> Equation:
    """Equal operands give 0.0 on one side and -0.0 on the other."""
    return -(x - y), y - x


@rule(where=_integer, examples=INTS)
def negate_integer_difference(x: Pat, y: Pat) -> Equation:
    return -(x - y), y - x


@rule()
def absolute_of_negated(x: Pat) -> Equation:
    return p.abs(-x), p.abs(x)


@rule(where=_float, examples=FLOATS)
def absolute_of_square(x: Pat) -> Equation:
    """Of floats: the square of an integer may wrap around to a negative one."""
    return p.abs(x * x), x * x


# -- idempotent -----------------------------------------------------------------------------------------------------
@rule(ops={"f": ("abs", "sign")})
def idempotent(x: Pat, f: AnyOp) -> Equation:
    return f(f(x)), f(x)


@rule(ops={"f": ("floor", "ceil", "round"), "g": ("floor", "ceil", "round")}, examples=FLOATS)
def round_rounded(x: Pat, f: AnyOp, g: AnyOp) -> Equation:
    return g(f(x)), f(x)


@rule(ops={"f": ("maximum", "minimum")})
def extreme_of_itself(x: Pat, f: AnyOp) -> Equation:
    return f(x, x), x


@rule(ops={"f": ("maximum", "minimum")})
def extreme_again(x: Pat, y: Pat, f: AnyOp) -> Equation:
    return f(f(x, y), y), f(x, y)


def _different_zeros(a: Value, b: Value) -> bool:
    return not (a.node.attrs["value"] == 0 and b.node.attrs["value"] == 0) and a.dtype.is_float


def _no_nan(*values: Value) -> bool:
    return all(v.node.attrs["value"] == v.node.attrs["value"] for v in values)


@rule(where=lambda c, d: _different_zeros(c, d) and _no_nan(c, d),
      examples=({"c": (-1.0, "f32[2, 3]"), "d": (0.0, "f32[2, 3]")},))
def two_lower_bounds(x: Pat, c: Splat, d: Splat) -> Equation:
    return (p.maximum(p.maximum(x, c), d),
            p.maximum(x, splat(derive(lambda a, b: max(a.node.attrs["value"], b.node.attrs["value"]), c, d), c.type)))


@rule(where=lambda c, d: _different_zeros(c, d) and _no_nan(c, d),
      examples=({"c": (6.0, "f32[2, 3]"), "d": (2.0, "f32[2, 3]")},))
def two_upper_bounds(x: Pat, c: Splat, d: Splat) -> Equation:
    return (p.minimum(p.minimum(x, c), d),
            p.minimum(x, splat(derive(lambda a, b: min(a.node.attrs["value"], b.node.attrs["value"]), c, d), c.type)))


# -- powers and quotients -------------------------------------------------------------------------------------------
@rule(where=lambda c: power_of_two(c.node.attrs["value"], c.dtype),
      examples=({"c": (4.0, "f32[2, 3]")}, {"c": (-0.25, "f32[2, 3]")}, {"x": "f64[5]", "c": (1024.0, "f64[5]")}))
def divide_by_power_of_two(x: Pat, c: Splat) -> Equation:
    return x / c, x * splat(derive(lambda v: 1 / v.node.attrs["value"], c), c.type)


@rule(examples=FLOATS)
def power_zero(x: Pat) -> Equation:
    return p.pow(x, 0), splat(1.0, x.type)


@rule()
def power_one(x: Pat) -> Equation:
    return p.pow(x, 1), x


@rule(inexact=True, where=_float, examples=FLOATS)
def power_two(x: Pat) -> Equation:
    """The product is rounded correctly; a library's pow need not be."""
    return p.pow(x, 2), x * x


@rule(inexact=True, where=_float, examples=FLOATS)
def power_three(x: Pat) -> Equation:
    return p.pow(x, 3), x * x * x


@rule(inexact=True, where=_float, examples=({"x": "f32[2, 3]", "at_least": 0.0},))
def power_half(x: Pat) -> Equation:
    """Differs at -0.0 and -inf."""
    return p.pow(x, 0.5), p.sqrt(x)


@rule(inexact=True, where=_float, examples=({"x": "f32[2, 3]", "at_least": 0.0},))
def power_minus_half(x: Pat) -> Equation:
    return p.pow(x, -0.5), p.rsqrt(x)


@rule(inexact=True, where=_float, examples=FLOATS)
def power_minus_one(x: Pat) -> Equation:
    return p.pow(x, -1), 1 / x


@rule(examples=({"x": "f32[2, 3]", "at_least": 0.0}, {"x": "f64[2, 3]", "at_least": 0.0}))
def reciprocal_of_root(x: Pat) -> Equation:
    """rsqrt is defined as this quotient."""
    return 1 / p.sqrt(x), p.rsqrt(x)


@rule(inexact=True, examples=({"x": "f32[2, 3]", "y": "f32[2, 3]", "at_least": 0.1},))
def divide_by_root(x: Pat, y: Pat) -> Equation:
    return x / p.sqrt(y), x * p.rsqrt(y)


@rule(inexact=True, where=_float, examples=FLOATS)
def common_factor(a: Pat, x: Pat, y: Pat) -> Equation:
    return a * x + a * y, a * (x + y)


# -- chains of constants (integers wrap around, so these are exact) ---------------------------------------------------
def _low(value: int) -> int:
    """A constant is the low bits of what it is made from; numpy takes 64 of them."""
    return value & ((1 << 64) - 1)


@rule(where=_integer, examples=({"x": "i32[4]", "c": (2147483647, "i32[4]"), "d": (5, "i32[4]")},
                                {"x": "u8[4]", "c": (200, "u8[4]"), "d": (100, "u8[4]")}))
def add_two_integers(x: Pat, c: Splat, d: Splat) -> Equation:
    return x + c + d, x + splat(derive(lambda a, b: _low(a.node.attrs["value"] + b.node.attrs["value"]), c, d), c.type)


@rule(where=_integer, examples=({"x": "i32[4]", "c": (2147483647, "i32[4]"), "d": (5, "i32[4]")},))
def multiply_by_two_integers(x: Pat, c: Splat, d: Splat) -> Equation:
    return x * c * d, x * splat(derive(lambda a, b: _low(a.node.attrs["value"] * b.node.attrs["value"]), c, d), c.type)


@rule(inexact=True, where=_float, examples=({"c": (0.3, "f32[2, 3]"), "d": (7.0, "f32[2, 3]")},))
def multiply_by_two_floats(x: Pat, c: Splat, d: Splat) -> Equation:
    return x * c * d, x * splat(derive(lambda a, b: a.node.attrs["value"] * b.node.attrs["value"], c, d), c.type)
