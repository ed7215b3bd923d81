"""Truth values, comparisons, bits and select."""

from __future__ import annotations

from ..graph import Value
from ..patterns import AnyOp, Attr, Equation, Pat, Splat, p, splat, splat_like
from ..rewrite import rule
from ..types import boolean
from .families import UNARY

TRUTH = ({"x": "bool[2, 3]", "y": "bool[2, 3]"},)
CHOICE = ({"c": "bool[2, 3]", "x": "f32[2, 3]", "y": "f32[2, 3]"}, {"c": "bool[4]", "x": "i32[4]", "y": "i32[4]", "z": "i32[4]"})
TWO_CHOICES = ({"c": "bool[2, 3]", "d": "bool[2, 3]", "x": "f32[2, 3]", "y": "f32[2, 3]"},)
BITS = ({"x": "i32[2, 3]"}, {"x": "u32[4]"})


@rule(examples=TRUTH)
def not_not(x: Pat) -> Equation:
    return p.logical_not(p.logical_not(x)), x


@rule(examples=TRUTH)
def and_true(x: Pat) -> Equation:
    return p.logical_and(x, True), x


@rule(examples=TRUTH)
def and_false(x: Pat) -> Equation:
    return p.logical_and(x, False), splat(False, x.type)


@rule(examples=TRUTH)
def or_false(x: Pat) -> Equation:
    return p.logical_or(x, False), x


@rule(examples=TRUTH)
def or_true(x: Pat) -> Equation:
    return p.logical_or(x, True), splat(True, x.type)


@rule(examples=TRUTH)
def xor_false(x: Pat) -> Equation:
    return p.logical_xor(x, False), x


@rule(examples=TRUTH)
def xor_true(x: Pat) -> Equation:
    return p.logical_xor(x, True), p.logical_not(x)


@rule(ops={"f": ("logical_and", "logical_or")}, examples=TRUTH)
def truth_with_itself(x: Pat, f: AnyOp) -> Equation:
    return f(x, x), x


@rule(ops={"f": ("bit_and", "bit_or")}, examples=BITS)
def bits_with_themselves(x: Pat, f: AnyOp) -> Equation:
    return f(x, x), x


@rule(examples=BITS)
def bits_differ_from_themselves(x: Pat) -> Equation:
    return p.bit_xor(x, x), splat(0, x.type)


@rule(ops={"f": ("bit_or", "bit_xor", "shl", "shr")}, examples=BITS)
def bits_with_zero(x: Pat, f: AnyOp) -> Equation:
    return f(x, 0), x


@rule(examples=BITS)
def bits_and_zero(x: Pat) -> Equation:
    return p.bit_and(x, 0), splat(0, x.type)


@rule()
def not_equal(x: Pat, y: Pat) -> Equation:
    """Also with NaNs, which equal nothing."""
    return p.logical_not(p.eq(x, y)), p.ne(x, y)


@rule()
def not_different(x: Pat, y: Pat) -> Equation:
    return p.logical_not(p.ne(x, y)), p.eq(x, y)


def _ordered(x: Value) -> bool:
    return not x.dtype.is_float


INTS = ({"x": "i32[2, 3]", "y": "i32[2, 3]"},)


@rule(where=_ordered, examples=INTS)
def not_less(x: Pat, y: Pat) -> Equation:
    """Integers only: a NaN is neither less nor greater."""
    return p.logical_not(p.lt(x, y)), p.ge(x, y)


@rule(where=_ordered, examples=INTS)
def not_greater(x: Pat, y: Pat) -> Equation:
    return p.logical_not(p.gt(x, y)), p.le(x, y)


@rule(where=_ordered, examples=INTS)
def not_less_or_equal(x: Pat, y: Pat) -> Equation:
    return p.logical_not(p.le(x, y)), p.gt(x, y)


@rule(where=_ordered, examples=INTS)
def not_greater_or_equal(x: Pat, y: Pat) -> Equation:
    return p.logical_not(p.ge(x, y)), p.lt(x, y)


@rule(where=_ordered, ops={"f": ("eq", "le", "ge")}, examples=INTS)
def compare_with_itself(x: Pat, f: AnyOp) -> Equation:
    return f(x, x), splat_like(True, x.shape, boolean)


@rule(where=lambda x, d: x.dtype.kind == "b" and d.is_float | d.is_integer,
      examples=({"x": "bool[2, 3]", "d": "f32"}, {"x": "bool[2, 3]", "d": "i32"}))
def truth_of_cast_truth(x: Pat, d: Attr) -> Equation:
    return p.ne(p.cast(x, dtype=d), 0), x


@rule(where=lambda x, d: x.dtype.kind == "b" and d.is_float | d.is_integer,
      examples=({"x": "bool[2, 3]", "d": "f32"},))
def positive_cast_truth(x: Pat, d: Attr) -> Equation:
    return p.gt(p.cast(x, dtype=d), 0), x


# -- select -------------------------------------------------------------------------------------------------------
@rule(examples=CHOICE)
def select_true(x: Pat, y: Pat) -> Equation:
    return p.select(True, x, y), x


@rule(examples=CHOICE)
def select_false(x: Pat, y: Pat) -> Equation:
    return p.select(False, x, y), y


@rule(examples=CHOICE)
def select_equal(c: Pat, x: Pat) -> Equation:
    return p.select(c, x, x), x


@rule(examples=CHOICE)
def select_not(c: Pat, x: Pat, y: Pat) -> Equation:
    return p.select(p.logical_not(c), x, y), p.select(c, y, x)


@rule(examples=CHOICE)
def select_same_condition_first(c: Pat, x: Pat, y: Pat, z: Pat) -> Equation:
    return p.select(c, p.select(c, x, y), z), p.select(c, x, z)


@rule(examples=CHOICE)
def select_same_condition_second(c: Pat, x: Pat, y: Pat, z: Pat) -> Equation:
    return p.select(c, x, p.select(c, y, z)), p.select(c, x, z)


@rule(examples=TWO_CHOICES)
def select_same_first(c: Pat, d: Pat, x: Pat, y: Pat) -> Equation:
    """Of two masks one is left."""
    return p.select(c, x, p.select(d, x, y)), p.select(p.logical_or(c, d), x, y)


@rule(examples=TWO_CHOICES)
def select_same_second(c: Pat, d: Pat, x: Pat, y: Pat) -> Equation:
    return p.select(c, p.select(d, x, y), y), p.select(p.logical_and(c, d), x, y)


@rule(examples=({"c": "bool[2, 3]"},))
def select_truth(c: Pat) -> Equation:
    return p.select(c, True, False), c


@rule(examples=({"c": "bool[2, 3]"},))
def select_untruth(c: Pat) -> Equation:
    return p.select(c, False, True), p.logical_not(c)


@rule(ops={"f": UNARY}, examples=({"c": "bool[2, 3]", "a": (0.5, "f32[2, 3]"), "b": (-0.0, "f32[2, 3]")},
                                  {"c": "bool[4]", "a": (True, "bool[4]"), "b": (False, "bool[4]")}))
def unary_of_chosen_constants(c: Pat, a: Splat, b: Splat, f: AnyOp) -> Equation:
    return f(p.select(c, a, b)), p.select(c, f(a), f(b))


