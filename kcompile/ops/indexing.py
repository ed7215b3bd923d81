"""Operations that pick elements: indexing, slices, take, scatter, diagonals."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from ..dispatch import body_of
from ..dtypes import result_type
from ..ir import build
from ..ir.graph import Value
from ..ir.types import Dim, DimLike, boolean, i32, product
from ..tensor import KerasTensor, Tensor
from ..tracing import SymbolicSize, dim_of, operation
from ._support import as_value, cast_value, common_shape, graph_shape, kind, normalized_axis, splat, static_dim, wrap

__all__ = [
    "diagonal", "get_item", "isin", "nonzero", "scatter", "scatter_update", "slice", "slice_update", "take", "take_along_axis",
    "trace",
]


def get_item(x: Any, key: Any) -> Any:
    """x[key]: integers, slices, None, ..., and an integer tensor on one axis. Masks are for eager tensors only."""
    if isinstance(x, Tensor) and not isinstance(key, KerasTensor):
        return x[key]
    return _get_item(x, key)


@operation(tensors="x key")
def _get_item(x: Any, key: Any) -> Any:
    value = as_value(x)
    parts = list(key) if isinstance(key, tuple) else [key]
    used = sum(1 for part in parts if part is not None and part is not Ellipsis)
    if sum(1 for part in parts if part is Ellipsis) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    if used > value.rank:
        raise IndexError(f"too many indices: {used} for a tensor of rank {value.rank}")
    fill = [builtins.slice(None)] * (value.rank - used)
    place = next((n for n, part in enumerate(parts) if part is Ellipsis), None)
    parts = parts + fill if place is None else parts[:place] + fill + parts[place + 1:]

    gathered: list[tuple[int, Any]] = []
    axis = 0
    for part in parts:
        if part is None:
            continue
        if isinstance(part, builtins.slice):
            value = _sliced(value, axis, part)
        elif _is_array(part):
            gathered.append((axis, part))
        else:
            value = _sliced_at(value, axis, part)
        axis += 1
    return wrap(_shaped(_gathered(value, gathered), value, parts, gathered))


body_of(_get_item).name = "get_item"


def _is_array(part: Any) -> bool:
    return isinstance(part, (KerasTensor, Tensor, np.ndarray, list)) or hasattr(part, "assign_add")


def _sliced(value: Value, axis: int, part: builtins.slice) -> Value:
    size = value.shape[axis]
    step = 1 if part.step is None else int(part.step)
    if step == 0:
        raise ValueError("slice step cannot be zero")
    start, stop = _limits(part, size, step)
    if step < 0:
        # elements start, start + step, ... above stop: the mirror image of a forward slice
        count = max(0, -(-(start - stop) // -step))
        value = _strided(value, axis, start + (count - 1) * step if count else 0, start + 1 if count else 0, -step)
        return build.reverse(value, (axis,))
    return _strided(value, axis, start, stop, step)


def _limits(part: builtins.slice, size: DimLike, step: int) -> tuple[Any, Any]:
    if isinstance(size, int) and not any(isinstance(p, SymbolicSize) for p in (part.start, part.stop)):
        first, last = (None if p is None else int(p.__index__()) for p in (part.start, part.stop))
        begin, end, _ = builtins.slice(first, last, step).indices(size)
        return begin, (max(begin, end) if step > 0 else min(begin, end))
    if step < 0:
        raise ValueError(f"a negative step needs a size that is known before the data is, this one is {size}")
    start = _limit(part.start, 0, size)
    return start, _limit(part.stop, size, size)


def _limit(given: Any, default: DimLike, size: DimLike) -> DimLike:
    if given is None:
        return default
    dim = dim_of(given)
    return dim + size if isinstance(dim, int) and dim < 0 else dim


def _strided(value: Value, axis: int, start: DimLike, stop: DimLike, step: int) -> Value:
    starts: list[DimLike] = [0] * value.rank
    stops = list(value.shape)
    strides = [1] * value.rank
    starts[axis], stops[axis], strides[axis] = start, stop, step
    return build.slice(value, starts, stops, strides)


def _sliced_at(value: Value, axis: int, part: Any) -> Value:
    """One position of an axis, which stays with size 1 for now."""
    size = value.shape[axis]
    position = dim_of(part)
    if isinstance(position, int) and isinstance(size, int):
        if not -size <= position < size:
            raise IndexError(f"index {position} is out of range for axis {axis} of size {size}")
        position %= size
    elif isinstance(position, int) and position < 0:
        position = size + position
    return _strided(value, axis, position, position + 1, 1)


def _gathered(value: Value, gathered: list[tuple[int, Any]]) -> Value:
    if not gathered:
        return value
    if len(gathered) > 1:
        raise NotImplementedError("indexing with more than one tensor is not supported; use ops.take, ops.take_along_axis or ops.reshape")
    axis, part = gathered[0]
    indices = as_value(part)
    if indices.dtype == boolean:
        raise TypeError("indexing a symbolic tensor with a mask gives a shape that depends on the data; use ops.where instead")
    return take_value(value, indices, axis)


def _shaped(result: Value, before: Value, parts: list[Any], gathered: list[tuple[int, Any]]) -> Value:
    """Axes of integers removed, those of None put in."""
    arrays = {axis: result.rank - before.rank + 1 for axis, _ in gathered}  # axis -> how many axes it has become
    shape: list[DimLike] = []
    axis = position = 0
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        width = arrays.get(axis, 1)
        if isinstance(part, builtins.slice) or axis in arrays:
            shape.extend(result.shape[position:position + width])
        position += width
        axis += 1
    return build.reshape(result, shape)


def wrapped_indices(indices: Value, size: DimLike) -> Value:
    """Indices with negative ones counted from the end."""
    if indices.dtype.kind == "u":
        return indices
    if indices.node.op.name == "constant":
        given = np.asarray(indices.node.attrs["value"])
        if given.size and given.min() >= 0:
            return indices
    extent = build.dim_size(indices.graph, size, indices.dtype) if isinstance(size, Dim) else build.constant(
        indices.graph, size, indices.type.with_shape(()))
    return build.select(build.lt(indices, 0), indices + splat(extent, indices.shape), indices)


def take_value(value: Value, indices: Value, axis: int) -> Value:
    """Slices of a value along an axis; negative indices count from the end."""
    if not indices.dtype.is_integer:
        indices = cast_value(indices, i32)
    return build.take(value, wrapped_indices(indices, value.shape[axis]), axis)


@operation
def take(x: Any, indices: Any, axis: int | None = None) -> Any:
    """The slices of x along an axis at the indices (of the flattened x by default); negative ones count from the end."""
    value, places = as_value(x), as_value(indices)
    if axis is None:
        return wrap(take_value(build.reshape(value, [value.type.size]), places, 0))
    return wrap(take_value(value, places, normalized_axis(axis, value.rank, "take")))


@operation
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Any:
    """Element [.., indices[.., n, ..], ..] for each n: indices have x's rank, their other sizes broadcast with x's."""
    value, places = as_value(x), as_value(indices)
    if axis is None:
        return wrap(take_value(build.reshape(value, [value.type.size]), build.reshape(places, [places.type.size]), 0))
    return wrap(along_axis(value, places, normalized_axis(axis, value.rank, "take_along_axis")))


def along_axis(value: Value, places: Value, axis: int) -> Value:
    """take_along_axis of values: the elements are looked up in the flattened value."""
    if places.rank != value.rank:
        raise ValueError(f"take_along_axis: indices of rank {places.rank} for a tensor of rank {value.rank}")
    if not places.dtype.is_integer:
        places = cast_value(places, i32)
    rest = [1 if n == axis else d for n, d in enumerate(value.shape)]
    outer = common_shape("take_along_axis", [rest, [1 if n == axis else d for n, d in enumerate(places.shape)]])
    shape = [places.shape[n] if n == axis else d for n, d in enumerate(outer)]
    value = splat(value, [value.shape[n] if n == axis else d for n, d in enumerate(outer)])
    places = wrapped_indices(splat(places, shape), value.shape[axis])
    linear = None
    for n in range(value.rank):
        stride = product(value.shape[n + 1:])
        position = places if n == axis else build.iota(value.graph, shape, n, places.dtype)
        if isinstance(stride, Dim):
            position = position * splat(build.dim_size(value.graph, stride, places.dtype), shape)
        elif stride != 1:
            position = position * stride
        linear = position if linear is None else linear + position
    assert linear is not None
    return build.take(build.reshape(value, [value.type.size]), linear, 0)


@operation(tensors="inputs start_indices")
def slice(inputs: Any, start_indices: Any, shape: Any) -> Any:
    """The block of a shape that begins at start_indices (integers, or a tensor of them)."""
    value = as_value(inputs)
    sizes = graph_shape(shape, "slice")
    starts = _static_indices(start_indices)
    if starts is not None:
        ends = [s + d for s, d in zip(starts, sizes, strict=True)]
        return wrap(build.slice(value, starts, ends))
    places = as_value(start_indices)
    for axis, size in enumerate(sizes):
        if size == value.shape[axis]:
            continue
        first = build.reshape(build.slice(places, [axis], [axis + 1]), ())
        value = build.take(value, splat(first, (size,)) + build.iota(value.graph, (size,), 0, places.dtype), axis)
    return wrap(value)


def _static_indices(indices: Any) -> list[Any] | None:
    """Indices that are known while tracing, or None."""
    if isinstance(indices, KerasTensor):
        node = getattr(indices, "value").node  # noqa: B009 - a TracedTensor in every body
        return list(np.atleast_1d(node.attrs["value"])) if node.op.name == "constant" and isinstance(node.attrs["value"], tuple) else None
    if isinstance(indices, (list, tuple)):
        if any(isinstance(part, KerasTensor) for part in indices):
            return None
        return [dim_of(part) for part in indices]
    return [int(i) for i in np.asarray(indices).reshape(-1)]


@operation
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Any:
    """`inputs` with the block that begins at start_indices replaced by the updates."""
    value = as_value(inputs)
    block = as_value(updates, wrap(value).dtype)
    starts = _static_indices(start_indices)
    if starts is not None:
        low = list(starts)
        high = [d - s - b for d, s, b in zip(value.shape, starts, block.shape, strict=True)]
        inside = build.pad(build.constant(value.graph, 1, block.type.with_dtype(i32)), low, high, 0)
        return wrap(build.select(cast_value(inside, boolean), build.pad(block, low, high, 0), value))
    places = as_value(start_indices)
    inside = build.constant(value.graph, True, value.type.with_dtype(boolean))
    moved = block
    for axis in range(value.rank):
        first = splat(build.reshape(build.slice(places, [axis], [axis + 1]), ()), value.shape)
        offset = build.iota(value.graph, value.shape, axis, places.dtype) - first
        extent = static_dim(block.shape[axis], "slice_update", f"the size of axis {axis} of the updates")
        inside = build.logical_and(inside, build.logical_and(build.ge(offset, 0), build.lt(offset, extent)))
        row = build.iota(value.graph, (value.shape[axis],), 0, places.dtype) - splat(
            build.reshape(build.slice(places, [axis], [axis + 1]), ()), (value.shape[axis],))
        moved = build.take(moved, row, axis)
    return wrap(build.select(inside, moved, value))


@operation(tensors="indices values")
def scatter(indices: Any, values: Any, shape: Any) -> Any:
    """Zeros of a shape with values added at index tuples (the last axis of `indices`)."""
    sizes = graph_shape(shape, "scatter")
    places, updates = as_value(indices), as_value(values)
    return wrap(scatter_sum(places, updates, sizes))


def scatter_sum(places: Value, updates: Value, sizes: tuple[DimLike, ...]) -> Value:
    """Rows of updates added into zeros at the tuples of positions in the last axis of `places`."""
    depth = static_dim(places.shape[-1], "scatter", "the length of an index tuple")
    linear = _linear_index(places, sizes[:depth])
    flat = build.scatter_add(build.reshape(linear, [linear.type.size]),
                             build.reshape(updates, [linear.type.size, *updates.shape[places.rank - 1:]]), product(sizes[:depth]))
    return build.reshape(flat, sizes)


def _linear_index(places: Value, sizes: tuple[DimLike, ...]) -> Value:
    lead = places.shape[:-1]
    total = None
    for n in range(len(sizes)):
        column = build.reshape(build.slice(places, [0] * len(lead) + [n], [*lead, n + 1]), lead)
        column = wrapped_indices(column, sizes[n])
        total = column if total is None else total * static_dim(sizes[n], "scatter", f"the size of axis {n}") + column
    assert total is not None
    return total


@operation(tensors="inputs indices updates")
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Any:
    """`inputs` with elements at index tuples set to the updates (or added to, with reduction='add').

    Where an index occurs more than once without a reduction, which update wins is not defined (here: their mean).
    """
    value, places = as_value(inputs), as_value(indices)
    news = as_value(updates, wrap(value).dtype)
    if reduction == "add":
        return wrap(value + scatter_sum(places, news, value.shape))
    if reduction is not None:
        raise ValueError(f"scatter_update: reduction must be None or 'add', received {reduction!r}")
    ones = build.ones_like(news)
    count = scatter_sum(places, ones, value.shape)
    total = scatter_sum(places, news, value.shape)
    mean = total / build.maximum(count, 1.0) if value.dtype.is_float else build.floordiv(total, build.maximum(count, 1))
    return wrap(build.select(build.gt(count, 0), mean, value))


@operation
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The diagonal of the plane of two axes, as a last axis."""
    value = as_value(x)
    a, b = normalized_axis(axis1, value.rank, "diagonal"), normalized_axis(axis2, value.rank, "diagonal")
    perm = [n for n in range(value.rank) if n not in (a, b)] + [a, b]
    value = build.transpose(value, perm)
    rows, columns = (static_dim(d, "diagonal", "the size of both axes") for d in value.shape[-2:])
    row, column = max(0, -offset), max(0, offset)
    count = max(0, min(rows - row, columns - column))
    flat = build.reshape(value, [*value.shape[:-2], rows * columns])
    first = row * columns + column
    if count == 0:
        return wrap(build.slice(flat, [0] * flat.rank, [*flat.shape[:-1], 0]))
    last = first + (count - 1) * (columns + 1) + 1
    return wrap(build.slice(flat, [0] * (flat.rank - 1) + [first], [*flat.shape[:-1], last], [1] * (flat.rank - 1) + [columns + 1]))


@operation
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Any:
    """The sum of the diagonal of the plane of two axes."""
    from .reductions import sum as sum_

    return sum_(diagonal(x, offset, axis1, axis2), axis=-1)


def nonzero(x: Any) -> Any:
    """The positions of the elements that are not zero, a tensor for each axis; eager only: the shape depends on the data."""
    if isinstance(x, KerasTensor):
        x._refuse("the result's shape depends on the data")
    return tuple(Tensor(np.asarray(part, np.int32)) for part in np.nonzero(np.asarray(x)))


@operation
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Any:
    """Whether each element of x1 occurs in x2; bool."""
    dtype = result_type(kind(x1), kind(x2))
    value, others = as_value(x1, dtype), as_value(x2, dtype)
    flat = build.reshape(others, [others.type.size])
    shape = (*value.shape, *flat.shape)
    same = build.eq(build.broadcast(value, shape, range(value.rank)), build.broadcast(flat, shape, (value.rank,)))
    found = cast_value(build.reduce_max(cast_value(same, i32), (value.rank,)), boolean)
    return wrap(build.logical_not(found) if invert else found)
