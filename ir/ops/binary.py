"""Elementwise primitives of two operands, and select."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import build
from ..graph import Value
from ..kernel import Kernel
from ..op import Attrs, NoGradient, Op, Sample, register
from ..scalar import apply
from ..types import FLOATS, INTEGERS, boolean, f32, f64, i32, i64, u8, u32
from . import check
from .describe import axis_names, load, mapped, operands, plain
from .family import FLOAT_SAMPLES, NUMBER_SAMPLES, Array, Cotangents, Types, elementwise, float_gradient, of, vector_samples

_TRUTH = NoGradient("a truth value")
_BITS = NoGradient("integers have no gradient")


def _numbers(**options: int) -> tuple[Sample, ...]:
    return vector_samples(2, NUMBER_SAMPLES, **{"integer_low": -9, "integer_high": 9, **options})


def _divisors() -> tuple[Sample, ...]:
    """Positive divisors of numbers of either sign would need two ranges: these are of one sign each, and mixed integers."""
    mixed = of("i32[B, 17]", "i32[B, 17]", integer_low=-40, integer_high=40, name="mixed signs, zero divisors")
    return (*vector_samples(2, NUMBER_SAMPLES, 0.3, 9, integer_low=1, integer_high=9),
            of("f32[B, 17]", "f32[B, 17]", low=-9, high=-0.3), of("f64[B, 17]", "f64[B, 17]", low=-9.0, high=9.0), mixed)


# -- arithmetic -------------------------------------------------------------------------------------------------
add = elementwise("add", "a + b.", on=check.NUMBERS, scalar="add", count=2, samples=_numbers(),
                  vjp=lambda ct, a, b, y: [ct, ct])

sub = elementwise("sub", "a - b.", on=check.NUMBERS, scalar="sub", count=2, samples=_numbers(),
                  vjp=lambda ct, a, b, y: [ct, -ct])

mul = elementwise("mul", "a * b.", on=check.NUMBERS, scalar="mul", count=2, samples=_numbers(),
                  vjp=lambda ct, a, b, y: [ct * b, ct * a])

div = elementwise("div", "a / b, of floats.", on=FLOATS, scalar="div", count=2, samples=vector_samples(2, FLOAT_SAMPLES, 0.3, 4),
                  vjp=lambda ct, a, b, y: [ct / b, -(ct * y / b)])


floordiv = elementwise("floordiv", "floor(a / b); on integers exact, and 0 where b is 0.", on=check.NUMBERS, scalar="floordiv", count=2,
                       vjp=NoGradient("piecewise constant"), samples=_divisors())


mod = elementwise("mod", "The remainder of floor(a / b): it has the sign of b. On integers 0 where b is 0.", on=check.NUMBERS,
                  scalar="mod", count=2, samples=_divisors(),
                  vjp=lambda ct, a, b, y: [ct, -(ct * build.floordiv(a, b))])


def _pow_vjp(ct: Value, a: Value, b: Value, y: Value) -> Cotangents:
    # at b = 0 the derivative by a is 0 and not 0 * a^-1; at a <= 0 the derivative by b is taken to be 0, as TensorFlow does
    exponent = b.node.attrs["value"] if b.node.op.name == "constant" else None
    if isinstance(exponent, float):
        lowered = a if exponent == 2 else build.pow(a, exponent - 1)
        da = build.zeros_like(a) if exponent == 0 else lowered * exponent
    else:
        flat = build.eq(b, 0)
        da = build.select(flat, 0.0, b * build.pow(a, build.select(flat, 1.0, b - 1)))
    positive = build.gt(a, 0)
    logarithm = build.select(positive, build.log(build.select(positive, a, 1.0)), 0.0)
    return [ct * da, ct * y * logarithm]


pow = elementwise("pow", "a to the b. On integers modulo 2^n, and 0 where b is negative.", on=check.NUMBERS, scalar="pow", count=2,
                  vjp=_pow_vjp, samples=vector_samples(2, NUMBER_SAMPLES, 0.3, 2.5, integer_high=6))

atan2 = elementwise("atan2", "The angle of the point (b, a): atan(a / b) in the right quadrant.", on=FLOATS, scalar="atan2", count=2,
                    samples=vector_samples(2, FLOAT_SAMPLES),
                    vjp=lambda ct, a, b, y: [ct * b / (a * a + b * b), -(ct * a / (a * a + b * b))])


def _split(ct: Value, to_first: Value) -> Cotangents:
    return [build.select(to_first, ct, 0.0), build.select(to_first, 0.0, ct)]


maximum = elementwise("maximum", "The larger one; NaN if either is. Where both are equal the first gets the gradient.",
                      on=check.NUMBERS, scalar="max", count=2, samples=_numbers(),
                      vjp=lambda ct, a, b, y: _split(ct, build.ge(a, b)))

minimum = elementwise("minimum", "The smaller one; NaN if either is. Where both are equal the first gets the gradient.",
                      on=check.NUMBERS, scalar="min", count=2, samples=_numbers(),
                      vjp=lambda ct, a, b, y: _split(ct, build.le(a, b)))


# -- comparison (a NaN is unequal to everything and in no order) -------------------------------------------------
def _comparison(name: str, meaning: str, scalar: str) -> Op:
    on = check.NUMBERS if name in ("lt", "le", "gt", "ge") else check.EVERY
    samples = (*_numbers(integer_low=-2, integer_high=3), *(of(f"{d}[B, 17]", f"{d}[B, 17]") for d in (i64, u32, boolean) if d in on))
    return elementwise(name, f"Whether {meaning}.", on=on, scalar=scalar, count=2, truth=True, vjp=_TRUTH, samples=samples)


eq = _comparison("eq", "a equals b", "eq")
ne = _comparison("ne", "a differs from b; a NaN differs from itself", "ne")
lt = _comparison("lt", "a is below b", "lt")
le = _comparison("le", "a is at most b", "le")
gt = _comparison("gt", "a is above b", "gt")
ge = _comparison("ge", "a is at least b", "ge")


# -- logic and bits ---------------------------------------------------------------------------------------------
def _logical(name: str, meaning: str, scalar: str) -> Op:
    return elementwise(name, f"Whether {meaning} hold{'s' if 'one' in meaning else ''}.", on=(boolean,), scalar=scalar, count=2,
                       vjp=_TRUTH, samples=vector_samples(2, (boolean,)))


logical_and = _logical("logical_and", "both", "and")
logical_or = _logical("logical_or", "at least one", "or")
logical_xor = _logical("logical_xor", "exactly one", "xor")


def _bitwise(name: str, doc: str, scalar: str, high: int = 100) -> Op:
    return elementwise(name, doc, on=INTEGERS, scalar=scalar, count=2, vjp=_BITS,
                       samples=vector_samples(2, (i32, u8, u32, i64), integer_low=0, integer_high=high))


bit_and = _bitwise("bit_and", "The bits that both have.", "and")
bit_or = _bitwise("bit_or", "The bits that either has.", "or")
bit_xor = _bitwise("bit_xor", "The bits that just one has.", "xor")
shl = _bitwise("shl", "The bits of a moved up by b places (0 <= b < width).", "shl", high=8)
shr = _bitwise("shr", "The bits of a moved down by b places (0 <= b < width); the sign of a signed number fills in.", "shr", high=8)


# -- select -----------------------------------------------------------------------------------------------------
def _select_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("select", types, 3)
    check.element_type("select", types[0], (boolean,))
    check.same_type("select", types[1:])
    if types[0].shape != types[1].shape:
        check.reject("select", f"a condition of shape {list(types[1].shape)}", types[0])
    return (types[1],)


def _select_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    arrays = operands(inputs, outputs)
    index = plain(axis_names(outputs[0].rank))
    chosen = apply("select", *(load(arrays, f"in{n}", index) for n in range(3)))
    return [mapped("select", arrays, "out0", outputs[0].shape, index, chosen)]


def _select_reference(condition: Array, a: Array, b: Array) -> Array:
    return np.asarray(np.where(condition, a, b))


def _select_vjp(ct: Value, condition: Value, a: Value, b: Value, y: Value) -> Cotangents:
    return [None, *_split(ct, condition)]


select = register(Op(
    name="select",
    doc="a where the condition holds, else b; the one not chosen has no influence, NaN or not, and gets no gradient.",
    infer=_select_infer,
    reference=_select_reference,
    vjp=float_gradient(_select_vjp),
    kernel=_select_kernel,
    samples=tuple(of(f"bool{shape}", f"{dtype}{shape}", f"{dtype}{shape}", nan_every=7 if dtype is f32 else 0)
                  for dtype, shape in ((f32, "[B, 17]"), (f64, "[B, 3]"), (f32, "[]"), (i32, "[16]"), (u8, "[B, 3]"),
                                       (boolean, "[B, 15]"))),
))
