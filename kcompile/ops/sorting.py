"""Order: sorting, ranks, the largest elements, quantiles, counting.

Eager tensors are sorted by numpy. In a graph an element's place is the number of elements that come before it, which takes
n * n comparisons along the axis: right for classes and short sequences, not for data sets.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..dtypes import result_type
from ..ir import build
from ..ir.graph import Value
from ..ir.types import i32
from ..tracing import operation
from ._support import Axis, as_value, cast_value, float_value, kind, normalized_axes, normalized_axis, static_dim, wrap
from .creation import one_hot_value
from .shapes import sliced

__all__ = [
    "argpartition", "argsort", "bincount", "digitize", "median", "percentile", "quantile", "searchsorted", "sort", "sparsemax", "top_k",
]


def ranks(value: Value, descending: bool = False) -> Value:
    """Each element's place in the order of the last axis; int32. Equal elements keep their order, NaN comes last."""
    size = value.shape[-1]
    pair = (*value.shape, size)
    lead = list(range(value.rank - 1))
    own = build.broadcast(value, pair, [*lead, value.rank - 1])
    other = build.broadcast(value, pair, [*lead, value.rank])
    row, column = build.iota(value.graph, pair, value.rank - 1, i32), build.iota(value.graph, pair, value.rank, i32)
    before = build.gt(other, own) if descending else build.lt(other, own)
    tie = build.eq(other, own)
    if value.dtype.is_float:
        before = build.logical_or(before, build.logical_and(build.is_nan(own), build.logical_not(build.is_nan(other))))
        tie = build.logical_or(tie, build.logical_and(build.is_nan(own), build.is_nan(other)))
    before = build.logical_or(before, build.logical_and(tie, build.lt(column, row)))
    return build.reduce_sum(cast_value(before, i32), (value.rank,))


def placed(value: Value, places: Value, count: Any) -> Value:
    """The first `count` elements of the last axis in the order of their places."""
    shape = (*value.shape[:-1], count, value.shape[-1])
    lead = list(range(value.rank - 1))
    here = build.eq(build.broadcast(places, shape, [*lead, value.rank]), build.iota(value.graph, shape, value.rank - 1, i32))
    spread = build.broadcast(value, shape, [*lead, value.rank])
    return build.reduce_sum(build.select(here, spread, build.zeros_like(spread)), (value.rank,))


def _last(value: Value, axis: int | None, name: str) -> tuple[Value, int]:
    """(the value with an axis moved to the end, that axis); flattened for None."""
    if axis is None:
        return build.reshape(value, [value.type.size]), 0
    place = normalized_axis(axis, value.rank, name)
    return build.transpose(value, [*(n for n in range(value.rank) if n != place), place]), place


def _back(value: Value, place: int) -> Value:
    perm = list(range(value.rank - 1))
    perm.insert(place, value.rank - 1)
    return build.transpose(value, perm)


def _numbers(value: Value) -> Value:
    return cast_value(value, i32) if value.dtype.kind == "b" else value


@operation(tensors="x", host=lambda x, axis=-1: np.sort(x, axis=axis))
def sort(x: Any, axis: int = -1) -> Any:
    """The elements along an axis in ascending order, NaN last."""
    given = as_value(x)
    value, place = _last(_numbers(given), axis, "sort")
    return wrap(cast_value(_back(placed(value, ranks(value), value.shape[-1]), place), given.dtype))


@operation(tensors="x", host=lambda x, axis=-1: np.argsort(x, axis=axis, kind="stable").astype(np.int32))
def argsort(x: Any, axis: int | None = -1) -> Any:
    """The positions of the elements along an axis in ascending order; int32. Equal elements keep their order."""
    value, place = _last(_numbers(as_value(x)), axis, "argsort")
    positions = build.iota(value.graph, value.shape, value.rank - 1, i32)
    return wrap(_back(placed(positions, ranks(value), value.shape[-1]), place))


def _host_argpartition(x: Any, kth: int, axis: int = -1) -> Any:
    return np.argpartition(x, kth, axis=axis).astype(np.int32)


@operation(tensors="x", host=_host_argpartition)
def argpartition(x: Any, kth: int, axis: int = -1) -> Any:
    """Positions such that the element of rank kth is in its place, smaller ones before it; int32."""
    return argsort(x, axis)  # a full order is a partition too


def _host_top_k(x: Any, k: int, sorted: bool = True) -> Any:
    order = np.argsort(-x if x.dtype.kind == "f" else -x.astype(np.int64), axis=-1, kind="stable")[..., :k]
    return np.take_along_axis(x, order, axis=-1), order.astype(np.int32)


@operation(tensors="x", host=_host_top_k)
def top_k(x: Any, k: int, sorted: bool = True) -> Any:
    """(the k largest elements of the last axis in descending order, their positions; int32). Of equals the first comes first."""
    value = _numbers(as_value(x))
    size = static_dim(value.shape[-1], "top_k", "the size of the last axis")
    if not 0 < k <= size:
        raise ValueError(f"top_k: k={k} for a last axis of size {size}")
    places = ranks(value, descending=True)
    positions = build.iota(value.graph, value.shape, value.rank - 1, i32)
    return wrap(placed(value, places, int(k))), wrap(placed(positions, places, int(k)))


# -- quantiles ----------------------------------------------------------------------------------------------------
_METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


@operation(tensors="x")
def quantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantiles q (a number or a sequence, within [0, 1]) over axes; between two elements by the method."""
    if method not in _METHODS:
        raise ValueError(f"quantile: method must be one of {', '.join(_METHODS)}, received {method!r}")
    value = float_value(x)
    axes = normalized_axes(axis, value.rank, "quantile")
    rest = [n for n in range(value.rank) if n not in axes]
    size = math.prod(static_dim(value.shape[a], "quantile", "the size of the axes") for a in axes)
    moved = build.reshape(build.transpose(value, [*rest, *axes]), [*(value.shape[n] for n in rest), size])
    ordered = placed(moved, ranks(moved), size)
    wanted = [float(p) for p in np.asarray(q).reshape(-1)]
    found = [_between(ordered, p * (size - 1), method) for p in wanted]
    if keepdims:
        found = [build.reshape(v, [1 if n in axes else d for n, d in enumerate(value.shape)]) for v in found]
    if np.ndim(q) == 0:
        return wrap(found[0])
    return wrap(build.concat([build.reshape(v, (1, *v.shape)) for v in found], 0))


def _between(ordered: Value, position: float, method: str) -> Value:
    low, high = math.floor(position), math.ceil(position)
    if method == "nearest":
        low = high = round(position)
    elif method == "lower":
        high = low
    elif method == "higher":
        low = high
    share = 0.5 if method == "midpoint" and low != high else position - low
    below, above = (build.reshape(sliced(ordered, ordered.rank - 1, n, n + 1), ordered.shape[:-1]) for n in (low, high))
    return below if low == high else below * (1 - share) + above * share


@operation(tensors="x")
def percentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Any:
    """The quantiles q / 100 over axes."""
    return quantile(x, np.asarray(q) / 100, axis, method, keepdims)


@operation(tensors="x")
def median(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The middle element over axes; of an even number, the mean of both."""
    return quantile(x, 0.5, axis, "linear", keepdims)


# -- counting -----------------------------------------------------------------------------------------------------
def _host_searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    return np.searchsorted(sorted_sequence, values, side=side).astype(np.int32)  # type: ignore[call-overload]


@operation(tensors="sorted_sequence values", host=_host_searchsorted)
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Any:
    """Where the values would go in a sorted vector, before ('left') or after ('right') equal elements; int32."""
    if side not in ("left", "right"):
        raise ValueError(f"searchsorted: side must be 'left' or 'right', received {side!r}")
    dtype = result_type(kind(sorted_sequence), kind(values))
    line, given = as_value(sorted_sequence, dtype), as_value(values, dtype)
    shape = (*given.shape, *line.shape)
    a, b = build.broadcast(line, shape, (given.rank,)), build.broadcast(given, shape, range(given.rank))
    before = build.lt(a, b) if side == "left" else build.le(a, b)
    return wrap(build.reduce_sum(cast_value(before, i32), (given.rank,)))


@operation(tensors="x bins")
def digitize(x: Any, bins: Any) -> Any:
    """The number of ascending bin edges at or below each element; int32."""
    return searchsorted(bins, x, side="right")


def _host_bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    size = max(int(minlength), int(x.max()) + 1 if x.size else 0)
    dtype = np.int32 if weights is None else weights.dtype
    rows, w = x.reshape(-1, x.shape[-1]), None if weights is None else weights.reshape(-1, x.shape[-1])
    counts = [np.bincount(row, None if w is None else w[n], size) for n, row in enumerate(rows)]
    return np.asarray(counts, dtype).reshape(*x.shape[:-1], size)


@operation(tensors="x weights", host=_host_bincount)
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Any:
    """How often (or with what weight) each number from 0 occurs along the last axis.

    Eager: as many numbers as occur, at least minlength. In a graph exactly minlength.
    """
    if sparse:
        raise ValueError("bincount: sparse tensors are not supported")
    value = as_value(x)
    if not minlength:
        raise ValueError("bincount: in a graph `minlength` must say how many numbers to count")
    hits = one_hot_value(value, int(minlength), -1, i32)
    if weights is None:
        return wrap(build.reduce_sum(hits, (value.rank - 1,)))
    w = as_value(weights)
    return wrap(build.reduce_sum(cast_value(hits, w.dtype) * build.broadcast(w, hits.shape, range(w.rank)), (value.rank - 1,)))


@operation(tensors="x")
def sparsemax(x: Any, axis: int = -1) -> Any:
    """The point of the probability simplex nearest to x: like softmax, with exact zeros."""
    value, place = _last(float_value(x), axis, "sparsemax")
    size = static_dim(value.shape[-1], "sparsemax", f"the size of axis {axis}")
    ordered = placed(value, ranks(value, descending=True), size)
    rank = build.iota(value.graph, value.shape, value.rank - 1, value.dtype) + 1
    sums = build.cumsum(ordered, value.rank - 1)
    support = build.gt(rank * ordered + 1, sums)
    count = build.reduce_sum(cast_value(support, value.dtype), (value.rank - 1,))
    total = build.reduce_sum(build.select(support, ordered, 0.0), (value.rank - 1,))
    threshold = build.expand_reduced((total - 1) / count, value.shape, (value.rank - 1,))
    return wrap(_back(build.maximum(build.zeros_like(value), value - threshold), place))
