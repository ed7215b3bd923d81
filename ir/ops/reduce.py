"""Reductions over whole axes, positions of extremes, running sums."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .. import build
from ..graph import Value
from ..kernel import Kernel
from ..op import Attrs, NoGradient, Op, Sample, Vjp, register
from ..scalar import REDUCERS, Aff, Expr, Guard, Load, apply, identity
from ..types import DimLike, DType, TensorType, dtype_of, i32, i64
from . import check
from .describe import (
    axes_of,
    axis_names,
    compute_type,
    described,
    index_type,
    load,
    number,
    operands,
    plain,
    position,
    reduce,
    ref,
    store,
    wide,
)
from .family import Array, Cotangents, Types, of, widened


# -- reduce_sum, reduce_max, reduce_min, reduce_prod --------------------------------------------------------------
def _infer(name: str) -> Callable[[Types, Attrs], Types]:
    def infer(types: Types, attrs: Attrs) -> Types:
        check.arity(name, types, 1)
        check.element_type(name, types[0], check.NUMBERS)
        axes = check.distinct_axes(name, attrs["axes"], types[0])
        return (types[0].with_shape(check.without(types[0].shape, axes)),)
    return infer


def _reference(op: str) -> Callable[..., Array]:
    def reference(x: Array, axes: tuple[int, ...]) -> Array:
        if not axes:
            return x
        start = identity(op, compute_type(dtype_of(x)))
        return np.asarray(REDUCERS[op].reduce(widened(x), axis=axes, initial=start, dtype=widened(x).dtype)).astype(x.dtype)
    return reference


def _kernel(name: str, op: str) -> Callable[[Types, Types, Attrs], Sequence[Kernel]]:
    def kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
        arrays = operands(inputs, outputs)
        axes = axes_of(inputs[0].shape)
        over = [a for n, a in enumerate(axes) if n in attrs["axes"]]
        free = [a for a in axes if a not in over]
        value = load(arrays, "in0", plain(axes))
        if not over:
            return [described(name, axes, arrays, [store(arrays, "out0", plain(free), value, free)])]
        total = reduce("r", op, wide(value), free, over)
        return [described(name, axes, arrays, [total, store(arrays, "out0", plain(free), ref(total), free)])]
    return kernel


def _reduction(name: str, doc: str, op: str, vjp: Vjp, low: float = -2.0) -> Op:
    nans = 5 if op in ("max", "min") else 0
    samples: tuple[Sample, ...] = (
        of("f32[B, 17]", attrs={"axes": (1,)}, low=low), of("f32[B, 16]", attrs={"axes": (0,)}, low=low),
        of("f64[B, 3, 5]", attrs={"axes": (1,)}, low=low), of("f32[3, B]", attrs={"axes": (0, 1)}, low=low),
        of("f32[B, 4, 15]", attrs={"axes": (0, 2)}, low=low, nan_every=nans), of("f32[B, 1]", attrs={"axes": (1,)}, low=low),
        of("f16[B, 33]", attrs={"axes": (1,)}, low=low), of("bf16[33, B]", attrs={"axes": (0,)}, low=low),
        of("i32[B, 7]", attrs={"axes": (1,)}, integer_low=-5), of("f32[]", attrs={"axes": ()}), of("u8[5, B]", attrs={"axes": (0,)}),
    )
    return register(Op(name=name, doc=doc, infer=_infer(name), reference=_reference(op), vjp=vjp, kernel=_kernel(name, op),
                       samples=samples))


def _with_axes(vjp: Callable[[Value, Value, Value, tuple[int, ...]], Value]) -> Vjp:
    def whole(cts: tuple[Value | None, ...], inputs: tuple[Value, ...], outputs: tuple[Value, ...], attrs: Attrs) -> Cotangents:
        if cts[0] is None or not inputs[0].dtype.is_float:
            return [None]
        return [vjp(cts[0], inputs[0], outputs[0], attrs["axes"])]
    return whole


def _extreme_vjp(ct: Value, x: Value, y: Value, axes: tuple[int, ...]) -> Value:
    hit = build.cast(build.eq(x, build.expand_reduced(y, x.shape, axes)), x.dtype)
    return hit * build.expand_reduced(ct / build.reduce_sum(hit, axes), x.shape, axes)


def _product_vjp(ct: Value, x: Value, y: Value, axes: tuple[int, ...]) -> Value:
    zero = build.eq(x, 0)
    rest = build.select(zero, 1.0, x)  # the product without the zeros; with two or more of them all derivatives are 0
    zeros = build.expand_reduced(build.reduce_sum(build.cast(zero, x.dtype), axes), x.shape, axes)
    product = build.expand_reduced(build.reduce_prod(rest, axes), x.shape, axes)
    alone = build.select(build.logical_and(zero, build.eq(zeros, 1)), product, 0.0)
    others = build.select(build.eq(zeros, 0), product / rest, alone)
    return build.expand_reduced(ct, x.shape, axes) * others


reduce_sum = _reduction("reduce_sum", "The sum over `axes`; f16 and bf16 accumulate in f32.", "add",
                        _with_axes(lambda ct, x, y, axes: build.expand_reduced(ct, x.shape, axes)))
reduce_max = _reduction("reduce_max", "The largest element over `axes`; NaN if there is one. Equal maxima share the gradient.", "max",
                        _with_axes(_extreme_vjp))
reduce_min = _reduction("reduce_min", "The smallest element over `axes`; NaN if there is one. Equal minima share the gradient.", "min",
                        _with_axes(_extreme_vjp))
reduce_prod = _reduction("reduce_prod", "The product over `axes`; f16 and bf16 accumulate in f32. The first derivative is exact where "
                         "elements are 0, second derivatives are not.", "mul", _with_axes(_product_vjp), low=0.5)


# -- argmax, argmin ---------------------------------------------------------------------------------------------
def _position_op(name: str, op: str, word: str) -> Op:
    def infer(types: Types, attrs: Attrs) -> Types:
        check.arity(name, types, 1)
        check.element_type(name, types[0], check.NUMBERS)
        axis = check.axis_in_range(name, attrs["axis"], types[0])
        if not attrs["dtype"].is_integer:
            check.reject(name, "an integer element type", attrs["dtype"])
        if types[0].shape[axis] == 0:
            check.reject(name, f"at least one element along axis {axis}", types[0])
        return (TensorType(check.without(types[0].shape, [axis]), attrs["dtype"]),)

    def reference(x: Array, axis: int, dtype: DType) -> Array:
        found = (np.argmax if op == "max" else np.argmin)(widened(x), axis=axis)
        return np.asarray(found).astype(dtype.numpy)

    def kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
        arrays = operands(inputs, outputs)
        axes = axes_of(inputs[0].shape)
        over = list(axes)[attrs["axis"]]
        free = [a for a in axes if a != over]
        value = wide(load(arrays, "in0", plain(axes)))
        best = reduce("best", op, value, free, [over])
        hit: Expr = apply("eq", value, ref(best))
        if value.dtype.is_float:
            hit = apply("or", hit, apply("is_nan", value))
        extent = axes[over]
        counted = index_type(extent)
        none = number(np.iinfo(counted.numpy).max, counted)
        first = reduce("first", "min", apply("select", hit, position(Aff.of(over), counted, extent), none), free, [over])
        return [described(name, axes, arrays, [best, first, store(arrays, "out0", plain(free), ref(first), free)])]

    samples = (
        of("f32[B, 17]", attrs={"axis": 1, "dtype": i64}), of("f32[B, 10]", attrs={"axis": 1, "dtype": i32}, nan_every=7),
        of("f32[5, B]", attrs={"axis": 0, "dtype": i64}), of("f64[B, 3, 16]", attrs={"axis": 1, "dtype": i32}),
        of("i32[B, 15]", attrs={"axis": 1, "dtype": i64}, integer_low=-2, name="ties"), of("f16[B, 9]", attrs={"axis": 1, "dtype": i32}),
        of("f32[B]", attrs={"axis": 0, "dtype": i64}),
    )
    return register(Op(name=name, doc=f"The position of the {word} element along `axis`: the first of equals; the first NaN wins.",
                       infer=infer, reference=reference, vjp=NoGradient("a position"), kernel=kernel, samples=samples))


argmax = _position_op("argmax", "max", "largest")
argmin = _position_op("argmin", "min", "smallest")


# -- cumsum -----------------------------------------------------------------------------------------------------
RADIX = 8  # how many partial sums one step of a running sum adds


def _cumsum_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("cumsum", types, 1)
    check.element_type("cumsum", types[0], check.NUMBERS)
    check.axis_in_range("cumsum", attrs["axis"], types[0])
    return types


def _cumsum_reference(x: Array, axis: int, exclusive: bool, reverse: bool) -> Array:
    values = np.flip(widened(x), axis) if reverse else widened(x)
    sums = np.cumsum(values, axis=axis, dtype=values.dtype)
    if exclusive:
        sums = np.roll(sums, 1, axis)
        sums[(slice(None),) * axis + (slice(0, 1),)] = 0
    return np.ascontiguousarray(np.flip(sums, axis) if reverse else sums).astype(x.dtype, copy=False)


def _cumsum_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    """Maps that each add RADIX shifted copies, which doubles the reach log2(RADIX) times: s'[i] = s[i] + s[i-d] + .. +
    s[i-7d] with d = 1, 8, 64, ... An axis of unknown extent is summed directly, a triangle of terms."""
    (type,) = inputs
    axis, extent = attrs["axis"], type.shape[attrs["axis"]]
    if not isinstance(extent, int):
        return [_cumsum_triangle(inputs, outputs, attrs)]
    sums = type.with_dtype(compute_type(type.dtype))
    reaches = [1]
    while reaches[-1] * RADIX < extent:
        reaches.append(reaches[-1] * RADIX)
    temporaries = {f"tmp{n}": sums for n in range(len(reaches) - 1)}
    arrays = operands(inputs, outputs, **temporaries)
    axes = axes_of(type.shape)
    index = plain(axes)
    sign = 1 if attrs["reverse"] else -1
    kernels = []
    source = "in0"
    for n, reach in enumerate(reaches):
        target = f"tmp{n}" if n < len(reaches) - 1 else "out0"
        skip = 1 if attrs["exclusive"] and n == 0 else 0
        terms = [wide(_shifted(arrays, source, index, axis, sign * (k * reach + skip), extent))
                 for k in range(RADIX) if k * reach + skip < max(extent, 1)]
        total = terms[0] if terms else number(0, sums.dtype)
        for term in terms[1:]:
            total = apply("add", total, term)
        kernels.append(described("cumsum", axes, arrays, [store(arrays, target, index, total, axes)]))
        source = target
    return kernels


def _shifted(arrays: dict[str, TensorType], name: str, index: Sequence[Aff], axis: int, offset: int, extent: DimLike) -> Load:
    place = index[axis] + offset
    guards = [Guard(place, 0, extent)] if offset else []
    return load(arrays, name, [*index[:axis], place, *index[axis + 1:]], guards)


def _cumsum_triangle(inputs: Types, outputs: Types, attrs: Attrs) -> Kernel:
    (type,) = inputs
    arrays = operands(inputs, outputs)
    names = axis_names(type.rank + 1)
    free, other = names[:-1], names[-1]
    axes = {**axes_of(type.shape), other: type.shape[attrs["axis"]]}
    index = list(plain(free))
    index[attrs["axis"]] = Aff.of(other)
    value = wide(load(arrays, "in0", index))
    comparison = ("gt" if attrs["exclusive"] else "ge") if attrs["reverse"] else ("lt" if attrs["exclusive"] else "le")
    counted = apply(comparison, position(Aff.of(other), i64, 0), position(Aff.of(free[attrs["axis"]]), i64, 0))
    total = reduce("r", "add", apply("select", counted, value, number(0, value.dtype)), free, [other])
    return described("cumsum", axes, arrays, [total, store(arrays, "out0", plain(free), ref(total), free)])


def _cumsum_vjp(cts: tuple[Value | None, ...], inputs: tuple[Value, ...], outputs: tuple[Value, ...], attrs: Attrs) -> Cotangents:
    if cts[0] is None or not inputs[0].dtype.is_float:
        return [None]
    return [build.cumsum(cts[0], attrs["axis"], attrs["exclusive"], not attrs["reverse"])]


cumsum = register(Op(
    name="cumsum",
    doc="The running sum along `axis`; `exclusive` leaves out the element itself, `reverse` runs from the end.",
    infer=_cumsum_infer,
    reference=_cumsum_reference,
    vjp=_cumsum_vjp,
    kernel=_cumsum_kernel,
    samples=(of("f32[B, 17]", attrs={"axis": 1, "exclusive": False, "reverse": False}),
             of("f32[B, 8]", attrs={"axis": 1, "exclusive": True, "reverse": False}),
             of("f64[70, B]", attrs={"axis": 0, "exclusive": False, "reverse": True}),
             of("f16[B, 9]", attrs={"axis": 1, "exclusive": True, "reverse": True}),
             of("f32[B, 3]", attrs={"axis": 0, "exclusive": True, "reverse": True}),
             of("i32[B, 16]", attrs={"axis": 1, "exclusive": False, "reverse": False}),
             of("f32[B, 1]", attrs={"axis": 1, "exclusive": True, "reverse": False})),
))
