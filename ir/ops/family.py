"""Helpers that define a whole family of ops: element by element, gradients that floats alone have."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Union

import numpy as np
import numpy.typing as npt

from ..graph import Value
from ..kernel import Kernel
from ..op import Attrs, NoGradient, Op, Sample, Vjp, register
from ..scalar import SCALAR_OPS, apply
from ..types import DType, TensorType, bf16, boolean, f16, f32, f64, i32, parse_type, u8
from . import check
from .describe import axis_names, load, mapped, operands, plain, wide

Array = npt.NDArray[Any]
Cotangents = Sequence[Union[Value, None]]
Types = tuple[TensorType, ...]
FLOAT_SAMPLES = (f32, f64, f16, bf16)
NUMBER_SAMPLES = (f32, f64, f16, bf16, i32, u8)


def of(*inputs: str, **options: Any) -> Sample:
    """A sample from the texts of its operand types; `attrs` and the ranges by name."""
    return Sample(tuple(parse_type(text) for text in inputs), **options)


def widened(array: Array) -> Array:
    """float16 and bfloat16 as float32, in which they are computed; anything else as it is."""
    return array.astype(np.float32) if array.dtype.name in (f16.long_name, bf16.long_name) else array


def per_element(function: Callable[..., Any], truth: bool = False) -> Callable[..., Array]:
    """A reference that computes in f32 what is stored in 16 bits, and rounds the result once. It keeps subnormal f32 numbers,
    which native code flushes to 0: tests that compare the two accept 0 for them."""
    def reference(*arrays: Array, **attrs: Any) -> Array:
        with np.errstate(all="ignore"):
            result = np.asarray(function(*(widened(a) for a in arrays), **attrs))
        return result if truth else result.astype(arrays[-1].dtype, copy=False)
    return reference


def float_gradient(vjp: Callable[..., Sequence[Value | None]]) -> Vjp:
    """Wraps vjp(ct, *inputs, y) of a one-output op: no cotangent comes or goes where values are not floats."""
    def whole(cts: tuple[Value | None, ...], inputs: tuple[Value, ...], outputs: tuple[Value, ...], attrs: Attrs) -> Cotangents:
        (ct,) = cts
        if ct is None or not outputs[0].dtype.is_float:
            return (None,) * len(inputs)
        return vjp(ct, *inputs, outputs[0])
    return whole


def elementwise(name: str, doc: str, *, on: Sequence[DType], scalar: str, samples: Sequence[Sample],
                vjp: Callable[..., Sequence[Value | None]] | NoGradient, count: int = 1, truth: bool = False,
                reference: Callable[..., Any] | None = None) -> Op:
    """An op on `count` operands of one type, that computes the scalar word `scalar` for each element.

    `vjp(ct, *operands, y)` gives one cotangent an operand. `truth`: the result is bool. The reference is the scalar
    word's own unless another is given.
    """
    def infer(types: Types, attrs: Attrs) -> Types:
        check.arity(name, types, count)
        check.element_type(name, types[0], on)
        check.same_type(name, types)
        return (types[0].with_dtype(boolean) if truth else types[0],)

    def kernel(inputs: Types, outputs: Types, attrs: Attrs) -> list[Kernel]:
        arrays = operands(inputs, outputs)
        index = plain(axis_names(outputs[0].rank))
        loads = [load(arrays, f"in{n}", index) for n in range(count)]
        return [mapped(name, arrays, "out0", outputs[0].shape, index, apply(scalar, *map(wide, loads)))]

    return register(Op(
        name=name, doc=doc, infer=infer,
        reference=per_element(reference or SCALAR_OPS[scalar].reference, truth),
        vjp=vjp if isinstance(vjp, NoGradient) else float_gradient(vjp),
        kernel=kernel, samples=tuple(samples)))


def vector_samples(count: int, dtypes: Sequence[DType], low: float = -2.0, high: float = 2.0, **options: Any) -> tuple[Sample, ...]:
    """For an elementwise op: a scalar, vectors around the native width, a batch; each dtype once."""
    shapes: tuple[str, ...] = ("[B, 17]", "[]", "[15]", "[B, 3, 5]", "[16]", "[1, B]")
    made = [(dtypes[0], shape) for shape in shapes]
    made += [(dtype, shapes[n % 2 * 3]) for n, dtype in enumerate(dtypes[1:])]
    samples = []
    for dtype, shape in made:
        chosen = dict(options)
        if dtype.kind == "u":
            chosen["integer_low"] = max(0, chosen.get("integer_low", 0))
        samples.append(of(*[f"{dtype}{shape}"] * count, low=low, high=high, **chosen))
    if dtypes[0] is f32:
        samples.append(of(*["f32[B, 19]"] * count, low=low, high=high, nan_every=5, **options))
    return tuple(samples)

