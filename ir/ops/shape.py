"""Primitives that move elements and compute nothing."""

from __future__ import annotations

import builtins
from collections.abc import Sequence

import numpy as np

from .. import build
from ..graph import Value
from ..kernel import Kernel
from ..op import Attrs, Op, OpaqueKernel, register
from ..scalar import Aff, Guard
from ..types import DimLike, parse_type, product
from . import check
from .describe import axes_of, axis_names, described, load, moved, operands, plain, store
from .family import Array, Cotangents, Types, of
from .spatial import floor_quotient

Inputs = tuple[Value, ...]
_B = parse_type("f32[B]").shape[0]


# -- reshape ----------------------------------------------------------------------------------------------------
def _reshape_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("reshape", types, 1)
    shape = check.extents("reshape", attrs["shape"])
    if product(shape) != types[0].size:
        check.reject("reshape", f"a shape of {types[0].size} elements for {types[0]}", f"{list(shape)} ({product(shape)} elements)")
    return (types[0].with_shape(shape),)


def _reshape_vjp(ct: tuple[Value | None, ...], inputs: Inputs, outputs: Inputs, attrs: Attrs) -> Cotangents:
    return [None if ct[0] is None else build.reshape(ct[0], inputs[0].shape)]


reshape = register(Op(
    name="reshape",
    doc="The same elements in row-major order under another shape.",
    infer=_reshape_infer,
    reference=lambda x, shape: x.reshape(shape),
    vjp=_reshape_vjp,
    kernel=OpaqueKernel("the same elements in the same order", view=True),
    samples=(of("f32[B, 6]", attrs={"shape": (_B, 2, 3)}), of("f32[B, 6]", attrs={"shape": (6 * _B,)}),
             of("f64[B, 2, 3]", attrs={"shape": (_B, 3, 2)}), of("i32[1]", attrs={"shape": ()})),
))


# -- transpose --------------------------------------------------------------------------------------------------
def _transpose_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("transpose", types, 1)
    perm = attrs["perm"]
    if not isinstance(perm, tuple) or sorted(perm) != list(range(types[0].rank)):
        check.reject("transpose", f"a permutation of the {types[0].rank} axes of {types[0]}", perm)
    return (types[0].with_shape([types[0].shape[p] for p in perm]),)


def _transpose_vjp(ct: tuple[Value | None, ...], inputs: Inputs, outputs: Inputs, attrs: Attrs) -> Cotangents:
    perm = attrs["perm"]
    return [None if ct[0] is None else build.transpose(ct[0], [perm.index(n) for n in range(len(perm))])]


def _transpose_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    names = axis_names(inputs[0].rank)
    perm = attrs["perm"]
    return moved("transpose", inputs, outputs, plain(names[perm.index(n)] for n in range(len(perm))))


transpose = register(Op(
    name="transpose",
    doc="Output axis n is input axis perm[n].",
    infer=_transpose_infer,
    reference=lambda x, perm: np.ascontiguousarray(np.transpose(x, perm)) if perm else x,
    vjp=_transpose_vjp,
    kernel=_transpose_kernel,
    samples=(of("f32[B, 17]", attrs={"perm": (1, 0)}), of("f32[B, 3, 16]", attrs={"perm": (0, 2, 1)}),
             of("f64[2, B, 3]", attrs={"perm": (2, 0, 1)}), of("f32[]", attrs={"perm": ()}), of("i32[15, B]", attrs={"perm": (0, 1)})),
))


# -- broadcast --------------------------------------------------------------------------------------------------
def _broadcast_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("broadcast", types, 1)
    shape, dims = check.extents("broadcast", attrs["shape"]), attrs["dims"]
    out = types[0].with_shape(shape)
    check.distinct_axes("broadcast", dims, out)
    if len(dims) != types[0].rank or list(dims) != sorted(dims):
        check.reject("broadcast", f"{types[0].rank} increasing axes for {types[0]}", dims)
    if any(types[0].shape[n] != shape[d] for n, d in enumerate(dims)):
        check.reject("broadcast", f"a shape with extents {list(types[0].shape)} at axes {dims}", list(shape))
    return (out,)


def _broadcast_reference(x: Array, shape: tuple[int, ...], dims: tuple[int, ...]) -> Array:
    aligned = x.reshape([shape[n] if n in dims else 1 for n in range(len(shape))])
    repeated = np.broadcast_to(aligned, shape)
    # Along leading axes a view does: who adds a bias to an image needs no second image. Results of other views could lie in other orders.
    return repeated if list(dims) == list(range(len(shape) - len(dims), len(shape))) else np.ascontiguousarray(repeated)


def _broadcast_vjp(ct: tuple[Value | None, ...], inputs: Inputs, outputs: Inputs, attrs: Attrs) -> Cotangents:
    return [None if ct[0] is None else build.reduce_sum(ct[0], [n for n in range(ct[0].rank) if n not in attrs["dims"]])]


def _broadcast_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    names = axis_names(outputs[0].rank)
    return moved("broadcast", inputs, outputs, plain(names[d] for d in attrs["dims"]))


broadcast = register(Op(
    name="broadcast",
    doc="Input axis n becomes output axis dims[n], with the same extent; along the other output axes the input repeats.",
    infer=_broadcast_infer,
    reference=_broadcast_reference,
    vjp=_broadcast_vjp,
    kernel=_broadcast_kernel,
    samples=(of("f32[17]", attrs={"shape": (_B, 17), "dims": (1,)}), of("f32[B]", attrs={"shape": (_B, 16), "dims": (0,)}),
             of("f64[]", attrs={"shape": (3, _B), "dims": ()}), of("f32[B, 5]", attrs={"shape": (_B, 3, 5), "dims": (0, 2)}),
             of("bool[]", attrs={"shape": (), "dims": ()})),
))


# -- slice ------------------------------------------------------------------------------------------------------
def _slice_extent(start: DimLike, stop: DimLike, stride: int) -> DimLike:
    return floor_quotient(stop - start + stride - 1, stride)


def _slice_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("slice", types, 1)
    (type,) = types
    starts, stops = check.extents("slice", attrs["starts"]), check.extents("slice", attrs["stops"])
    strides = check.positive("slice", "strides", attrs["strides"], type.rank)
    if len(starts) != type.rank or len(stops) != type.rank:
        check.reject("slice", f"{type.rank} starts and stops for {type}", f"{starts} and {stops}")
    for n, (start, stop, extent) in enumerate(zip(starts, stops, type.shape, strict=True)):
        if (check.known(start, stop) and start > stop) or (check.known(stop, extent) and stop > extent):
            check.reject("slice", f"0 <= start <= stop <= {extent} at axis {n} of {type}", f"{start} and {stop}")
    return (type.with_shape([_slice_extent(*bounds) for bounds in zip(starts, stops, strides, strict=True)]),)


def _slice_reference(x: Array, starts: tuple[int, ...], stops: tuple[int, ...], strides: tuple[int, ...]) -> Array:
    return np.ascontiguousarray(x[tuple(builtins.slice(*bounds) for bounds in zip(starts, stops, strides, strict=True))]) if x.ndim else x


def _slice_vjp(ct: tuple[Value | None, ...], inputs: Inputs, outputs: Inputs, attrs: Attrs) -> Cotangents:
    """The cotangent between zeros: a strided axis [m] becomes [m, 1], is padded to [m, stride] and flattened."""
    (x,) = inputs
    if ct[0] is None:
        return [None]
    strides = attrs["strides"]
    spread = _spread(ct[0], strides)
    # the zeros after the last element taken may reach beyond the end of x
    room = [end - start for start, end in zip(attrs["starts"], x.shape, strict=True)]
    kept = [r if _is_negative(r - d) else d for d, r in zip(spread.shape, room, strict=True)]
    spread = build.slice(spread, [0] * x.rank, kept)
    return [build.pad(spread, attrs["starts"], [r - k for r, k in zip(room, kept, strict=True)])]


def _is_negative(dim: DimLike) -> bool:
    return isinstance(dim, int) and dim < 0


def _spread(value: Value, strides: tuple[int, ...]) -> Value:
    """`stride - 1` zeros after every element of every axis."""
    for axis, stride in enumerate(strides):
        if stride > 1:
            before, extent, after = value.shape[:axis], value.shape[axis], value.shape[axis + 1:]
            value = build.reshape(value, (*before, extent, 1, *after))
            nothing = [0] * value.rank
            high = [stride - 1 if n == axis + 1 else 0 for n in range(value.rank)]
            value = build.reshape(build.pad(value, nothing, high), (*before, extent * stride, *after))
    return value


def _slice_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    index = [Aff.of({name: stride}, start) for name, start, stride
             in zip(axis_names(inputs[0].rank), attrs["starts"], attrs["strides"], strict=True)]
    return moved("slice", inputs, outputs, index)


slice = register(Op(
    name="slice",
    doc="x[start:stop:stride] along every axis, with 0 <= start <= stop <= extent and stride >= 1.",
    infer=_slice_infer,
    reference=_slice_reference,
    vjp=_slice_vjp,
    kernel=_slice_kernel,
    samples=(of("f32[B, 19]", attrs={"starts": (0, 2), "stops": (_B, 18), "strides": (1, 1)}),
             of("f32[B, 33]", attrs={"starts": (0, 1), "stops": (_B, 32), "strides": (1, 2)}),
             of("f64[9, 7, B]", attrs={"starts": (1, 0, 0), "stops": (9, 7, _B), "strides": (3, 2, 1)}),
             of("f32[4, 5]", attrs={"starts": (3, 0), "stops": (4, 4), "strides": (1, 4)}),
             of("f32[]", attrs={"starts": (), "stops": (), "strides": ()})),
))


# -- pad --------------------------------------------------------------------------------------------------------
def _pad_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("pad", types, 1)
    low, high = check.extents("pad", attrs["low"]), check.extents("pad", attrs["high"])
    if len(low) != types[0].rank or len(high) != types[0].rank:
        check.reject("pad", f"{types[0].rank} extents low and high for {types[0]}", f"{low} and {high}")
    return (types[0].with_shape([a + d + b for a, d, b in zip(low, types[0].shape, high, strict=True)]),)


def _pad_reference(x: Array, low: tuple[int, ...], high: tuple[int, ...], value: float) -> Array:
    out = np.full([a + d + b for a, d, b in zip(low, x.shape, high, strict=True)], np.asarray(value).astype(x.dtype))
    out[tuple(builtins.slice(a, a + d) for a, d in zip(low, x.shape, strict=True))] = x
    return out


def _pad_vjp(ct: tuple[Value | None, ...], inputs: Inputs, outputs: Inputs, attrs: Attrs) -> Cotangents:
    stops = [a + d for a, d in zip(attrs["low"], inputs[0].shape, strict=True)]
    return [None if ct[0] is None else build.slice(ct[0], attrs["low"], stops)]


def _pad_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    low, high = attrs["low"], attrs["high"]
    index = [Aff.of({name: 1}, -1 * a) for name, a in zip(axis_names(inputs[0].rank), low, strict=True)]
    guards = [Guard(aff, 0, d) for aff, d, a, b in zip(index, inputs[0].shape, low, high, strict=True) if (a, b) != (0, 0)]
    return moved("pad", inputs, outputs, index, guards, attrs["value"])


pad = register(Op(
    name="pad",
    doc="`low` and `high` elements of `value` before and after each axis.",
    infer=_pad_infer,
    reference=_pad_reference,
    vjp=_pad_vjp,
    kernel=_pad_kernel,
    samples=(of("f32[B, 15]", attrs={"low": (0, 1), "high": (0, 2), "value": 0.0}),
             of("f32[B, 4, 5, 3]", attrs={"low": (0, 1, 2, 0), "high": (0, 1, 0, 0), "value": 0.0}),
             of("f64[B, 16]", attrs={"low": (2, 0), "high": (1, 1), "value": 1.5}),
             of("i32[5]", attrs={"low": (0,), "high": (12,), "value": 7}), of("f32[]", attrs={"low": (), "high": (), "value": 0.0})),
))


# -- concat -----------------------------------------------------------------------------------------------------
def _concat_infer(types: Types, attrs: Attrs) -> Types:
    if not types:
        check.reject("concat", "at least one operand", 0)
    check.same_dtype("concat", types)
    axis = check.axis_in_range("concat", attrs["axis"], types[0])
    if any(t.rank != types[0].rank or check.without(t.shape, [axis]) != check.without(types[0].shape, [axis]) for t in types):
        check.reject("concat", f"operands that differ only along axis {axis}", ", ".join(map(str, types)))
    total: DimLike = 0
    for type in types:
        total = total + type.shape[axis]
    return (types[0].with_shape([total if n == axis else d for n, d in enumerate(types[0].shape)]),)


def _concat_vjp(ct: tuple[Value | None, ...], inputs: Inputs, outputs: Inputs, attrs: Attrs) -> Cotangents:
    if ct[0] is None:
        return [None] * len(inputs)
    cotangents = []
    starts: list[DimLike] = [0] * ct[0].rank
    for value in inputs:
        stops = [a + d for a, d in zip(starts, value.shape, strict=True)]
        cotangents.append(build.slice(ct[0], starts, stops))
        starts[attrs["axis"]] = stops[attrs["axis"]]
    return cotangents


def _concat_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    """One map an operand, each over its own extents."""
    arrays = operands(inputs, outputs)
    kernels = []
    offset: DimLike = 0
    for n, type in enumerate(inputs):
        axes = axes_of(type.shape)
        index = plain(axes)
        target = [aff + offset if d == attrs["axis"] else aff for d, aff in enumerate(index)]
        kernels.append(described("concat", axes, arrays, [store(arrays, "out0", target, load(arrays, f"in{n}", index), axes)]))
        offset = offset + type.shape[attrs["axis"]]
    return kernels


concat = register(Op(
    name="concat",
    doc="The operands, any number of them, one after another along `axis`.",
    infer=_concat_infer,
    reference=lambda *arrays, axis: np.concatenate(arrays, axis),
    vjp=_concat_vjp,
    kernel=_concat_kernel,
    samples=(of("f32[B, 15]", "f32[B, 2]", attrs={"axis": 1}), of("f32[B, 3]", "f32[2, 3]", "f32[1, 3]", attrs={"axis": 0}),
             of("f64[B, 2, 16]", "f64[B, 3, 16]", attrs={"axis": 1}), of("i32[4]", attrs={"axis": 0}),
             of("f32[B, 3, 3, 1]", "f32[B, 3, 3, 17]", attrs={"axis": 3})),
))


# -- reverse ----------------------------------------------------------------------------------------------------
def _reverse_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("reverse", types, 1)
    check.distinct_axes("reverse", attrs["axes"], types[0])
    return types


def _reverse_vjp(ct: tuple[Value | None, ...], inputs: Inputs, outputs: Inputs, attrs: Attrs) -> Cotangents:
    return [None if ct[0] is None else build.reverse(ct[0], attrs["axes"])]


def _reverse_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    (type,) = inputs
    index = [Aff.of({name: -1}, type.shape[n] - 1) if n in attrs["axes"] else Aff.of(name)
             for n, name in enumerate(axis_names(type.rank))]
    return moved("reverse", inputs, outputs, index)


reverse = register(Op(
    name="reverse",
    doc="The elements along `axes` from last to first.",
    infer=_reverse_infer,
    reference=lambda x, axes: np.ascontiguousarray(np.flip(x, axes)) if axes else x,
    vjp=_reverse_vjp,
    kernel=_reverse_kernel,
    samples=(of("f32[B, 17]", attrs={"axes": (1,)}), of("f64[B, 3, 5]", attrs={"axes": (0, 2)}), of("i32[16]", attrs={"axes": (0,)}),
             of("f32[B, 4]", attrs={"axes": ()})),
))
