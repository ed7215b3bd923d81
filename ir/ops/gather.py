"""Primitives whose addresses are data: take and its adjoint."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .. import build
from ..graph import Value
from ..kernel import ACCUMULATE, Eq, Kernel
from ..op import Attrs, Op, register
from ..scalar import Aff, AxisValue, Expr, apply
from ..scalar import cast as converted
from ..types import DimLike, TensorType, i64
from . import check
from .describe import axes_of, axis_names, compute_type, described, index_value, load, number, operands, plain, store, wide
from .family import Array, Cotangents, Types, of, widened


def _row(arrays: dict[str, TensorType], indices: str, names: Sequence[str], size: DimLike) -> Eq:
    """row = the index at this point, clamped into [0, size)."""
    given = converted(load(arrays, indices, plain(names)), i64)
    last: Expr = number(size - 1, i64) if isinstance(size, int) else AxisValue(Aff((), size - 1), i64)
    return index_value("row", apply("max", apply("min", given, last), number(0, i64)), names)


def _integers(op: str, type: TensorType) -> None:
    if not type.dtype.is_integer:
        check.reject(op, "integer indices", type)


# -- take -------------------------------------------------------------------------------------------------------
def _take_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("take", types, 2)
    x, indices = types
    _integers("take", indices)
    axis = check.axis_in_range("take", attrs["axis"], x)
    if x.shape[axis] == 0:
        check.reject("take", f"at least one element along axis {axis}", x)
    return (x.with_shape((*x.shape[:axis], *indices.shape, *x.shape[axis + 1:])),)


def _take_reference(x: Array, indices: Array, axis: int) -> Array:
    return np.asarray(np.take(x, indices.astype(np.int64), axis=axis, mode="clip"))


def _take_vjp(cts: tuple[Value | None, ...], inputs: tuple[Value, ...], outputs: tuple[Value, ...], attrs: Attrs) -> Cotangents:
    x, indices = inputs
    axis = attrs["axis"]
    if cts[0] is None or not x.dtype.is_float:
        return [None, None]
    middle = range(axis, axis + indices.rank)
    first = build.transpose(cts[0], [*middle, *(n for n in range(cts[0].rank) if n not in middle)])
    summed = build.scatter_add(indices, first, x.shape[axis])
    return [build.transpose(summed, [*range(1, axis + 1), 0, *range(axis + 1, x.rank)]), None]


def _take_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    arrays = operands(inputs, outputs)
    axis = attrs["axis"]
    axes = axes_of(outputs[0].shape)
    names = list(axes)
    row = _row(arrays, "in1", names[axis:axis + inputs[1].rank], inputs[0].shape[axis])
    index = plain([*names[:axis], "row", *names[axis + inputs[1].rank:]])
    return [described("take", axes, arrays, [row, store(arrays, "out0", plain(names), load(arrays, "in0", index), names)])]


take = register(Op(
    name="take",
    doc="The slices of x along `axis` that the indices name, in their shape; an index out of range means the nearest one in it.",
    infer=_take_infer,
    reference=_take_reference,
    vjp=_take_vjp,
    kernel=_take_kernel,
    samples=(of("f32[5, 17]", "i32[B]", attrs={"axis": 0}), of("f64[4, 3]", "i64[B, 2]", attrs={"axis": 0}),
             of("f32[B, 4, 16]", "i32[3]", attrs={"axis": 1}), of("f32[B, 4]", "u8[B]", attrs={"axis": 1}),
             of("f32[6]", "i32[]", attrs={"axis": 0}), of("i32[3, 15]", "i32[B]", attrs={"axis": 0}, integer_low=-3, integer_high=6),
             of("f32[B, 3]", "i64[5]", attrs={"axis": 0}, integer_high=30)),
))


# -- scatter_add ------------------------------------------------------------------------------------------------
def _scatter_infer(types: Types, attrs: Attrs) -> Types:
    check.arity("scatter_add", types, 2)
    indices, updates = types
    _integers("scatter_add", indices)
    check.element_type("scatter_add", updates, check.NUMBERS)
    (size,) = check.extents("scatter_add", (attrs["size"],))
    if size == 0:
        check.reject("scatter_add", "a size of at least 1", size)
    if updates.shape[:indices.rank] != indices.shape:
        check.reject("scatter_add", f"updates whose shape begins with {list(indices.shape)}", updates)
    return (updates.with_shape((size, *updates.shape[indices.rank:])),)


def _scatter_reference(indices: Array, updates: Array, size: int) -> Array:
    rest = updates.shape[indices.ndim:]
    out = np.zeros((size, *rest), widened(updates).dtype)
    rows = np.clip(indices.reshape(-1).astype(np.int64), 0, size - 1)
    np.add.at(out, rows, widened(updates).reshape(rows.size, *rest))
    return out.astype(updates.dtype, copy=False)


def _scatter_vjp(cts: tuple[Value | None, ...], inputs: tuple[Value, ...], outputs: tuple[Value, ...], attrs: Attrs) -> Cotangents:
    if cts[0] is None or not inputs[1].dtype.is_float:
        return [None, None]
    return [None, build.take(cts[0], inputs[0], axis=0)]


def _scatter_kernel(inputs: Types, outputs: Types, attrs: Attrs) -> Sequence[Kernel]:
    """Zeros, then the sums in index order; f16 and bf16 are summed in an f32 temporary."""
    indices, updates = inputs
    (out,) = outputs
    computed = out.with_dtype(compute_type(out.dtype))
    arrays = operands(inputs, outputs, tmp0=computed)
    target = "out0" if computed == out else "tmp0"
    whole = axes_of(out.shape)
    zeros = described("zeros", whole, arrays, [store(arrays, target, plain(whole), number(0, computed.dtype), whole)])
    axes = axes_of(updates.shape)
    names = list(axes)
    over, free = names[:indices.rank], names[indices.rank:]
    row = _row(arrays, "in0", over, out.shape[0])
    added = Eq(ACCUMULATE, target, wide(load(arrays, "in1", plain(names))), tuple(free), tuple(over), "add", plain(["row", *free]))
    kernels = [zeros, described("scatter_add", axes, arrays, [row, added])]
    if target != "out0":
        rounded = store(arrays, "out0", plain(whole), load(arrays, target, plain(axis_names(out.rank))), whole)
        kernels.append(described("cast", whole, arrays, [rounded]))
    return kernels


scatter_add = register(Op(
    name="scatter_add",
    doc="Zeros [size, rest] to which updates [indices.shape, rest] are added, row by row in index order; an index out of range "
        "means the nearest one in it.",
    infer=_scatter_infer,
    reference=_scatter_reference,
    vjp=_scatter_vjp,
    kernel=_scatter_kernel,
    samples=(of("i32[B]", "f32[B, 17]", attrs={"size": 5}), of("i64[B, 2]", "f64[B, 2, 3]", attrs={"size": 4}),
             of("i32[3, B]", "f32[3, B]", attrs={"size": 2}), of("i32[]", "f32[16]", attrs={"size": 3}),
             of("i32[B]", "f16[B, 4]", attrs={"size": 3}), of("i32[B]", "f32[B, 2]", attrs={"size": 3}, integer_low=-2, integer_high=6)),
))
