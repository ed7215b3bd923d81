"""Elementwise primitives of one operand."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from .. import build
from ..graph import Value
from ..op import Attrs, NoGradient, Op, OpaqueKernel, Sample, register
from ..scalar import cast as converted
from ..types import DTYPES, FLOATS, DType, bf16, boolean, f16, f32, f64, i32
from . import check
from .describe import axis_names, load, mapped, operands, plain
from .family import FLOAT_SAMPLES, NUMBER_SAMPLES, Array, Types, elementwise, float_gradient, of, vector_samples

_STEPS = NoGradient("piecewise constant")


def _on_floats(low: float = -2.0, high: float = 2.0) -> tuple[Sample, ...]:
    return vector_samples(1, FLOAT_SAMPLES, low, high)


def _on_numbers() -> tuple[Sample, ...]:
    return vector_samples(1, NUMBER_SAMPLES, integer_low=-9, integer_high=9)


neg = elementwise("neg", "-x; modulo 2^n on integers.", on=check.NUMBERS, scalar="neg",
                  vjp=lambda ct, x, y: [-ct], samples=_on_numbers())

abs = elementwise("abs", "The absolute value; its gradient at 0 is 0.", on=check.NUMBERS, scalar="abs",
                  vjp=lambda ct, x, y: [ct * build.sign(x)], samples=_on_numbers())

sign = elementwise("sign", "-1, 0 or 1; NaN of NaN.", on=check.NUMBERS, scalar="sign", vjp=_STEPS, samples=_on_numbers())

exp = elementwise("exp", "e to the x.", on=FLOATS, scalar="exp", vjp=lambda ct, x, y: [ct * y], samples=_on_floats(-6, 6))

expm1 = elementwise("expm1", "exp(x) - 1, accurate near 0.", on=FLOATS, scalar="expm1",
                    vjp=lambda ct, x, y: [ct * (y + 1)], samples=_on_floats())

log = elementwise("log", "The natural logarithm; NaN below 0, -inf at 0.", on=FLOATS, scalar="log",
                  vjp=lambda ct, x, y: [ct / x], samples=_on_floats(0.05, 9))

log1p = elementwise("log1p", "log(1 + x), accurate near 0.", on=FLOATS, scalar="log1p",
                    vjp=lambda ct, x, y: [ct / (x + 1)], samples=_on_floats(-0.9, 3))

sqrt = elementwise("sqrt", "The square root, correctly rounded; NaN below 0.", on=FLOATS, scalar="sqrt",
                   vjp=lambda ct, x, y: [ct * 0.5 / y], samples=_on_floats(0.05, 9))

rsqrt = elementwise("rsqrt", "1 / sqrt(x).", on=FLOATS, scalar="rsqrt",
                    vjp=lambda ct, x, y: [ct * -0.5 * y / x], samples=_on_floats(0.05, 9))

tanh = elementwise("tanh", "The hyperbolic tangent.", on=FLOATS, scalar="tanh",
                   vjp=lambda ct, x, y: [ct * (1 - y * y)], samples=_on_floats(-5, 5))

sigmoid = elementwise("sigmoid", "1 / (1 + exp(-x)), without overflow.", on=FLOATS, scalar="sigmoid",
                      vjp=lambda ct, x, y: [ct * (y * (1 - y))], samples=_on_floats(-5, 5))

erf = elementwise("erf", "The error function.", on=FLOATS, scalar="erf", samples=_on_floats(-3, 3),
                  vjp=lambda ct, x, y: [ct * (build.exp(-(x * x)) * (2 / math.sqrt(math.pi)))])

sin = elementwise("sin", "The sine of an angle in radians.", on=FLOATS, scalar="sin",
                  vjp=lambda ct, x, y: [ct * build.cos(x)], samples=_on_floats(-9, 9))

cos = elementwise("cos", "The cosine of an angle in radians.", on=FLOATS, scalar="cos",
                  vjp=lambda ct, x, y: [-(ct * build.sin(x))], samples=_on_floats(-9, 9))

floor = elementwise("floor", "The largest integer not above x.", on=FLOATS, scalar="floor", vjp=_STEPS, samples=_on_floats(-9, 9))

ceil = elementwise("ceil", "The smallest integer not below x.", on=FLOATS, scalar="ceil", vjp=_STEPS, samples=_on_floats(-9, 9))

round = elementwise("round", "The nearest integer; halves go to the even one.", on=FLOATS, scalar="round", vjp=_STEPS,
                    samples=_on_floats(-9, 9))

is_nan = elementwise("is_nan", "Whether x is a NaN.", on=FLOATS, scalar="is_nan", truth=True,
                     vjp=NoGradient("a truth value"), samples=_on_floats())

is_finite = elementwise("is_finite", "Whether x is neither a NaN nor an infinity.", on=FLOATS, scalar="is_finite", truth=True,
                        vjp=NoGradient("a truth value"), samples=_on_floats())

logical_not = elementwise("logical_not", "Whether x does not hold.", on=(boolean,), scalar="not",
                          vjp=NoGradient("a truth value"), samples=vector_samples(1, (boolean,)))


def _one(types: Types, attrs: Attrs) -> Types:
    check.arity("stop_gradient", types, 1)
    return types


stop_gradient = register(Op(
    name="stop_gradient",
    doc="x itself, through which no gradient flows.",
    infer=_one,
    reference=lambda x: x,
    vjp=NoGradient("that is what it is for"),
    kernel=OpaqueKernel("the same elements", view=True),
    samples=(of("f32[B, 3]"), of("i32[]")),
))


# -- cast -------------------------------------------------------------------------------------------------------
def _cast_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("cast", types, 1)
    if not isinstance(attrs["dtype"], DType):
        check.reject("cast", "an element type", attrs["dtype"])
    return (types[0].with_dtype(attrs["dtype"]),)


def _cast_reference(x: Array, dtype: DType) -> Array:
    with np.errstate(all="ignore"):
        return x != 0 if dtype == boolean else x.astype(dtype.numpy)


def _cast_vjp(ct: Value, x: Value, y: Value) -> Sequence[Value | None]:
    return [build.cast(ct, x.dtype) if x.dtype.is_float else None]


def _cast_samples() -> tuple[Sample, ...]:
    pairs = [(a, b) for a in DTYPES.values() for b in DTYPES.values() if a != b]
    chosen = [(a, b) for a, b in pairs if {a, b} <= {f32, f64, f16, bf16, i32, boolean} or f32 in (a, b)]
    return tuple(of(f"{a}[B, 17]", attrs={"dtype": b}, low=-3.7 if b.kind != "u" else 0.0, high=3.7,
                    integer_low=-9 if a.kind == "i" and b.kind != "u" else 0, integer_high=9) for a, b in chosen)


cast = register(Op(
    name="cast",
    doc="x in another element type: floats round to nearest even, a float becomes an integer by dropping its fraction "
        "(a NaN or a value outside the integer's range gives no particular integer), integers wrap, anything but 0 is "
        "true, and true is 1.",
    infer=_cast_infer,
    reference=_cast_reference,
    vjp=float_gradient(_cast_vjp),
    kernel=lambda inputs, outputs, attrs: [mapped(
        "cast", operands(inputs, outputs), "out0", outputs[0].shape, plain(axis_names(inputs[0].rank)),
        converted(load(operands(inputs, outputs), "in0", plain(axis_names(inputs[0].rank))), attrs["dtype"]))],
    samples=_cast_samples(),
))
