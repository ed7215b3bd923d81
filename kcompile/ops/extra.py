"""Less common arithmetic: running products, differences, sums that skip NaN, segments, distances."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..dtypes import ir_dtype, result_type
from ..ir import build
from ..ir.graph import Value
from ..ir.types import TensorType, f32, i32
from ..tracing import operation
from ._support import Axis, aligned, as_value, cast_value, float_value, graph_shape, kind, normalized_axis, static_dim, wrap
from .arithmetic import where
from .creation import one_hot_value
from .elementwise import isnan
from .reductions import argmax, argmin, cumsum, prod, sum
from .reductions import max as max_
from .reductions import min as min_
from .shapes import sliced

__all__ = [
    "allclose", "array_equal", "cdist", "cumprod", "depth_to_space", "diff", "nanargmax", "nanargmin", "nancumprod", "nancumsum", "nanmax",
    "nanmean", "nanmin", "nanprod", "nanstd", "nansum", "nanvar", "psnr", "segment_max", "segment_min", "segment_prod", "segment_sum",
    "space_to_depth", "trapezoid", "unravel_index",
]


def _host_cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    kind_ = ir_dtype(dtype).numpy if dtype is not None else np.dtype(np.int32) if x.dtype.kind == "b" else x.dtype
    return np.cumprod(x.astype(kind_), axis=axis, dtype=kind_)


@operation(tensors="x", host=_host_cumprod)
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running product along an axis (of the flattened tensor by default); in a graph by n * n products."""
    value = as_value(x) if dtype is None else as_value(x, dtype)
    value = cast_value(value, i32) if value.dtype.kind == "b" else value
    if axis is None:
        value, place = build.reshape(value, [value.type.size]), 0
    else:
        place = normalized_axis(axis, value.rank, "cumprod")
    pair = (*value.shape[:place], value.shape[place], *value.shape[place:])
    spread = build.broadcast(value, pair, [n if n < place else n + 1 for n in range(value.rank)])
    row, column = build.iota(value.graph, pair, place, i32), build.iota(value.graph, pair, place + 1, i32)
    return wrap(build.reduce_prod(build.select(build.le(column, row), spread, build.ones_like(spread)), (place + 1,)))


@operation(tensors="a")
def diff(a: Any, n: int = 1, axis: int = -1) -> Any:
    """The differences of neighbours along an axis, n times over."""
    value = as_value(a)
    place = normalized_axis(axis, value.rank, "diff")
    for _ in range(n):
        size = value.shape[place]
        after, before = sliced(value, place, 1, size), sliced(value, place, 0, size - 1)
        value = build.ne(after, before) if value.dtype.kind == "b" else after - before
    return wrap(value)


@operation(tensors="y x")
def trapezoid(y: Any, x: Any = None, dx: float = 1.0, axis: int = -1) -> Any:
    """The integral along an axis by trapezoids, of samples at x or dx apart."""
    value = float_value(y)
    place = normalized_axis(axis, value.rank, "trapezoid")
    size = value.shape[place]
    middle = (sliced(value, place, 1, size) + sliced(value, place, 0, size - 1)) * 0.5
    if x is None:
        return wrap(build.reduce_sum(middle * float(dx), (place,)))
    steps = as_value(diff(x, axis=-1 if len(x.shape) == 1 else axis), wrap(value).dtype)
    if steps.rank == 1:
        steps = build.broadcast(steps, middle.shape, (place,))
    return wrap(build.reduce_sum(middle * steps, (place,)))


# -- reductions that skip NaN ---------------------------------------------------------------------------------------
def _skipping(name: str, doc: str, reduce: Callable[..., Any], fill: float) -> Any:
    def function(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
        value = wrap(as_value(x))
        return reduce(where(isnan(value), fill, value) if value.dtype.is_floating else value, axis=axis, keepdims=keepdims)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


nansum = _skipping("nansum", "The sum over axes, NaN counted as 0.", sum, 0.0)
nanprod = _skipping("nanprod", "The product over axes, NaN counted as 1.", prod, 1.0)
nanargmax = _skipping("nanargmax", "The position of the largest element that is not NaN; int32.", argmax, -math.inf)
nanargmin = _skipping("nanargmin", "The position of the smallest element that is not NaN; int32.", argmin, math.inf)


def _skipping_extreme(name: str, doc: str, reduce: Callable[..., Any], fill: float) -> Any:
    def function(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
        value = wrap(as_value(x))
        if not value.dtype.is_floating:
            return reduce(value, axis=axis, keepdims=keepdims)
        lost = isnan(value)
        found = reduce(where(lost, fill, value), axis=axis, keepdims=keepdims)
        return where(reduce_all(lost, axis, keepdims), math.nan, found)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


def reduce_all(x: Any, axis: Axis, keepdims: bool) -> Any:
    """Whether all elements over axes hold."""
    from .reductions import all as all_

    return all_(x, axis=axis, keepdims=keepdims)


nanmax = _skipping_extreme("nanmax", "The largest element over axes that is not NaN.", max_, -math.inf)
nanmin = _skipping_extreme("nanmin", "The smallest element over axes that is not NaN.", min_, math.inf)


@operation
def nanmean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean over axes of what is not NaN."""
    value = wrap(float_value(x))
    present = where(isnan(value), 0.0, 1.0)
    return nansum(value, axis=axis, keepdims=keepdims) / sum(present, axis=axis, keepdims=keepdims)


@operation
def nanvar(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The variance over axes of what is not NaN."""
    value = wrap(float_value(x))
    centred = value - nanmean(value, axis=axis, keepdims=True)
    return nanmean(centred * centred, axis=axis, keepdims=keepdims)


@operation
def nanstd(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The standard deviation over axes of what is not NaN."""
    return wrap(build.sqrt(as_value(nanvar(x, axis=axis, keepdims=keepdims))))


@operation(tensors="x")
def nancumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum, NaN counted as 0."""
    value = wrap(as_value(x))
    return cumsum(where(isnan(value), 0.0, value) if value.dtype.is_floating else value, axis=axis, dtype=dtype)


@operation(tensors="x")
def nancumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running product, NaN counted as 1."""
    value = wrap(as_value(x))
    return cumprod(where(isnan(value), 1.0, value) if value.dtype.is_floating else value, axis=axis, dtype=dtype)


# -- comparison of whole tensors ------------------------------------------------------------------------------------
@operation(tensors="x1 x2")
def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Any:
    """Whether all elements are close; a bool scalar."""
    from .arithmetic import isclose

    return reduce_all(isclose(x1, x2, rtol, atol, equal_nan), None, False)


@operation
def array_equal(x1: Any, x2: Any) -> Any:
    """Whether shapes and all elements are equal; a bool scalar."""
    a, b = as_value(x1), as_value(x2)
    if a.shape != b.shape:
        return wrap(build.constant(a.graph, False, TensorType((), ir_dtype("bool"))))
    return reduce_all(wrap(build.eq(*aligned("array_equal", x1, x2))), None, False)


# -- segments -------------------------------------------------------------------------------------------------------
def _segments(name: str, data: Any, segment_ids: Any, num_segments: int | None) -> tuple[Value, Value, int]:
    if num_segments is None:
        raise ValueError(f"{name}: `num_segments` is needed: the result's shape must not depend on the data")
    return as_value(data), as_value(segment_ids), int(num_segments)


def _with_count(function: Callable[..., Any]) -> Callable[..., Any]:
    """Eager calls without num_segments count the segments themselves."""
    def call(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
        if num_segments is None and not hasattr(segment_ids, "value"):
            num_segments = int(np.max(np.asarray(segment_ids))) + 1
        return function(data, segment_ids, num_segments, sorted)
    call.__name__ = call.__qualname__ = function.__name__
    call.__doc__ = function.__doc__
    return call


@_with_count
@operation(tensors="data segment_ids")
def segment_sum(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
    """The sum of the rows of each segment; ids outside 0 ... num_segments - 1 are left out."""
    value, ids, count = _segments("segment_sum", data, segment_ids, num_segments)
    inside = build.logical_and(build.ge(ids, 0), build.lt(ids, count))
    kept = build.select(build.broadcast(inside, value.shape, (0,)), value, build.zeros_like(value))
    return wrap(build.scatter_add(ids, kept, count))


def _segment_reduction(name: str, doc: str, reduce: Callable[..., Value], fill: Callable[[Any], Any]) -> Any:
    def function(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Any:
        value, ids, count = _segments(name, data, segment_ids, num_segments)
        member = cast_value(one_hot_value(ids, count, 0, f32), ir_dtype("bool"))  # [segments, rows]
        shape = (count, *value.shape)
        spread = build.broadcast(value, shape, range(1, value.rank + 1))
        chosen = build.select(build.broadcast(member, shape, (0, 1)), spread, build.full_like(spread, fill(wrap(value).dtype)))
        return wrap(reduce(chosen, (1,)))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return _with_count(operation(tensors="data segment_ids")(function))


segment_max = _segment_reduction("segment_max", "The largest elements of the rows of each segment; of none, the dtype's lowest.",
                                 build.reduce_max, lambda dtype: dtype.min)
segment_min = _segment_reduction("segment_min", "The smallest elements of the rows of each segment; of none, the dtype's highest.",
                                 build.reduce_min, lambda dtype: dtype.max)
segment_prod = _segment_reduction("segment_prod", "The product of the rows of each segment; of none, 1.",
                                  build.reduce_prod, lambda dtype: 1)


# -- others ---------------------------------------------------------------------------------------------------------
@operation
def unravel_index(indices: Any, shape: Any) -> Any:
    """The index tuples of positions in a flattened tensor of a shape, a tensor for each axis."""
    value = as_value(indices)
    results: list[Any] = []
    for size in reversed(graph_shape(shape, "unravel_index")):
        extent = static_dim(size, "unravel_index", "the shape")
        results.append(wrap(build.mod(value, extent)))
        value = build.floordiv(value, extent)
    return tuple(reversed(results))


@operation
def cdist(x: Any, y: Any) -> Any:
    """The distances between the rows of x [.., m, d] and of y [.., n, d]: [.., m, n]."""
    dtype = result_type(kind(x), kind(y), float)
    a, b = as_value(x, dtype), as_value(y, dtype)
    shape = (*a.shape[:-1], b.shape[-2], a.shape[-1])
    lead = list(range(a.rank - 2))
    left = build.broadcast(a, shape, [*lead, a.rank - 2, a.rank])
    right = build.broadcast(b, shape, [*lead, a.rank - 1, a.rank])
    total = build.reduce_sum(build.square(left - right), (a.rank,))
    zero = build.eq(total, 0.0)  # the derivative at distance 0 is 0
    return wrap(build.select(zero, 0.0, build.sqrt(build.select(zero, 1.0, total))))


@operation
def psnr(x1: Any, x2: Any, max_val: Any) -> Any:
    """The peak signal-to-noise ratio of two images in decibel."""
    a, b = aligned("psnr", x1, x2, dtype=result_type(kind(x1), kind(x2), float))
    error = build.square(a - b)
    mean = build.reduce_sum(error, range(error.rank)) / float(math.prod(static_dim(d, "psnr", "the size") for d in error.shape))
    peak = as_value(max_val, wrap(mean).dtype)
    return wrap((build.log(peak) * 20 - build.log(mean) * 10) / math.log(10))


@operation(tensors="x")
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Blocks of pixels become channels."""
    from .convolution import from_channels_last, to_channels_last

    value = to_channels_last(as_value(x), data_format)
    n, h, w, c = value.shape
    s = int(block_size)
    parts = build.reshape(value, (n, h // s, s, w // s, s, c))
    return wrap(from_channels_last(build.reshape(build.transpose(parts, (0, 1, 3, 2, 4, 5)), (n, h // s, w // s, s * s * c)), data_format))


@operation(tensors="x")
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Any:
    """Channels become blocks of pixels."""
    from .convolution import from_channels_last, to_channels_last

    value = to_channels_last(as_value(x), data_format)
    n, h, w, c = value.shape
    s = int(block_size)
    parts = build.reshape(value, (n, h, w, s, s, c // (s * s)))
    return wrap(from_channels_last(build.reshape(build.transpose(parts, (0, 1, 3, 2, 4, 5)), (n, h * s, w * s, c // (s * s))), data_format))
