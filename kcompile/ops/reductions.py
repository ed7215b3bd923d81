"""Reductions over axes: sums, extremes, moments, arg max and min, running sums, norms."""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

from ..dtypes import DType, ir_dtype, result_type
from ..ir import build
from ..ir.graph import Value
from ..ir.types import boolean, f32, i32, product
from ..tracing import operation
from ._support import Axis, as_value, cast_value, common_shape, float_value, keep_dims, kind, normalized_axes, normalized_axis, splat, wrap

__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "average", "count_nonzero", "cumsum", "logsumexp", "max", "mean", "min",
    "moments", "norm", "prod", "ptp", "std", "sum", "var",
]


def _reduced(name: str, value: Value, axis: Axis, keepdims: bool, body: Callable[[Value, tuple[int, ...]], Value]) -> Any:
    axes = normalized_axes(axis, value.rank, name)
    result = body(value, axes)
    return wrap(keep_dims(result, value.shape, axes) if keepdims else result)


def _widened(value: Value) -> Value:
    """Sums of small integers are int32 (uint32 for unsigned ones)."""
    if value.dtype.kind == "b" or (value.dtype.is_integer and value.dtype.size < 4):
        return cast_value(value, ir_dtype("uint32" if value.dtype.kind == "u" else "int32"))
    return value


@operation
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The sum over axes (all by default). Small integers and bools give int32."""
    return _reduced("sum", _widened(as_value(x)), axis, keepdims, build.reduce_sum)


@operation
def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: Any = None) -> Any:
    """The product over axes (all by default)."""
    value = as_value(x) if dtype is None else as_value(x, dtype)
    return _reduced("prod", _widened(value), axis, keepdims, build.reduce_prod)


def _moment_input(value: Value) -> tuple[Value, Any]:
    """(the value in the type means are computed in, the result's type): halves are computed in float32."""
    wanted = value.dtype if value.dtype.is_float else ir_dtype(result_type(wrap(value).dtype, float))
    return cast_value(value, f32 if wanted.size < 4 else wanted), wanted


def mean_value(value: Value, axes: tuple[int, ...]) -> Value:
    """The mean of a float value over axes, which leave the shape."""
    total = build.reduce_sum(value, axes)
    count = product(value.shape[a] for a in axes)
    if isinstance(count, int):
        return total / (count if count else math.nan)
    return total / splat(build.dim_size(value.graph, count, value.dtype), total.shape)


@operation
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The mean over axes (all by default); of integers, floatx."""
    value, dtype = _moment_input(as_value(x))
    return _reduced("mean", value, axis, keepdims, lambda v, axes: cast_value(mean_value(v, axes), dtype))


def variance_value(value: Value, axes: tuple[int, ...]) -> Value:
    """The (population) variance of a float value over axes, which leave the shape."""
    centred = value - build.expand_reduced(mean_value(value, axes), value.shape, axes)
    return mean_value(centred * centred, axes)


@operation
def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The population variance over axes (all by default)."""
    value, dtype = _moment_input(as_value(x))
    return _reduced("var", value, axis, keepdims, lambda v, axes: cast_value(variance_value(v, axes), dtype))


@operation
def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The population standard deviation over axes (all by default)."""
    value, dtype = _moment_input(as_value(x))
    return _reduced("std", value, axis, keepdims, lambda v, axes: cast_value(build.sqrt(variance_value(v, axes)), dtype))


@operation(tensors="x")
def moments(x: Any, axes: Axis, keepdims: bool = False, synchronized: bool = False) -> Any:
    """(mean, variance) over axes; float16 and bfloat16 are computed in float32."""
    original = as_value(x)
    value, dtype = _moment_input(original)
    found = normalized_axes(axes, value.rank, "moments")
    results = []
    for body in (mean_value, variance_value):
        result = body(value, found)
        results.append(wrap(cast_value(keep_dims(result, value.shape, found) if keepdims else result, dtype)))
    return tuple(results)


def _extreme(name: str, doc: str, reduce: Any, combine: Any) -> Any:
    def function(x: Any, axis: Axis = None, keepdims: bool = False, initial: Any = None) -> Any:
        value = as_value(x)
        if value.dtype.kind == "b":
            value = cast_value(value, i32)
        axes = normalized_axes(axis, value.rank, name)
        if initial is None and builtins.any(value.shape[a] == 0 for a in axes):
            raise ValueError(f"{name}: zero-size axis of shape {value.shape} and no `initial`")
        result = reduce(value, axes)
        if initial is not None:
            result = combine(result, splat(as_value(initial, wrap(result).dtype), result.shape))
        if as_value(x).dtype.kind == "b":
            result = cast_value(result, boolean)
        return wrap(keep_dims(result, value.shape, axes) if keepdims else result)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


max = _extreme("max", "The largest element over axes (all by default); NaN if one is.", build.reduce_max, build.maximum)
min = _extreme("min", "The smallest element over axes (all by default); NaN if one is.", build.reduce_min, build.minimum)
amax, amin = max, min


def _truth(name: str, doc: str, body: Any) -> Any:
    def function(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
        value = cast_value(cast_value(as_value(x), boolean), i32)
        return _reduced(name, value, axis, keepdims, lambda v, axes: cast_value(body(v, axes), boolean))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


any = _truth("any", "Whether any element over axes is true (not zero); bool.", build.reduce_max)
all = _truth("all", "Whether every element over axes is true (not zero); bool.", build.reduce_min)


@operation
def count_nonzero(x: Any, axis: Axis = None) -> Any:
    """How many elements over axes are not zero; int32."""
    return _reduced("count_nonzero", cast_value(cast_value(as_value(x), boolean), i32), axis, False, build.reduce_sum)


def _position(name: str, doc: str, body: Any) -> Any:
    def function(x: Any, axis: int | None = None, keepdims: bool = False) -> Any:
        value = as_value(x)
        if value.dtype.kind == "b":
            value = cast_value(value, i32)
        if axis is None:
            result = body(build.reshape(value, [value.type.size]), 0, i32)
            return wrap(build.reshape(result, [1] * value.rank) if keepdims else result)
        found = normalized_axis(axis, value.rank, name)
        result = body(value, found, i32)
        return wrap(keep_dims(result, value.shape, (found,)) if keepdims else result)
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(function)


argmax = _position("argmax", "The position of the largest element along an axis (of all, flattened, by default); int32. "
                             "The first of equals; a NaN wins.", build.argmax)
argmin = _position("argmin", "The position of the smallest element along an axis (of all, flattened, by default); int32. "
                             "The first of equals; a NaN wins.", build.argmin)


def logsumexp_value(value: Value, axes: tuple[int, ...]) -> Value:
    """log(sum(exp(x))) of a float value over axes, which leave the shape; -inf of nothing but -inf."""
    highest = build.stop_gradient(build.reduce_max(value, axes))
    highest = build.select(build.is_finite(highest), highest, 0.0)
    total = build.reduce_sum(build.exp(value - build.expand_reduced(highest, value.shape, axes)), axes)
    return build.log(total) + highest


@operation
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """log(sum(exp(x))) over axes (all by default), without overflow."""
    return _reduced("logsumexp", float_value(x), axis, keepdims, logsumexp_value)


@operation
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Any:
    """The running sum along an axis (of the flattened tensor by default)."""
    value = as_value(x) if dtype is None else as_value(x, dtype)
    if value.dtype.kind == "b":
        value = cast_value(value, i32)
    if axis is None:
        return wrap(build.cumsum(build.reshape(value, [value.type.size]), 0))
    return wrap(build.cumsum(value, normalized_axis(axis, value.rank, "cumsum")))


@operation(tensors="x weights")
def average(x: Any, axis: Axis = None, weights: Any = None) -> Any:
    """The mean over axes, weighted where weights are given (of x's shape, or one-dimensional along the axis)."""
    dtype: DType = result_type(kind(x), kind(weights) if weights is not None else float, float)
    value = as_value(x, dtype)
    axes = normalized_axes(axis, value.rank, "average")
    if weights is None:
        return wrap(mean_value(value, axes))
    w = as_value(weights, dtype)
    if w.rank == 1 and value.rank > 1 and len(axes) == 1:
        w = build.reshape(w, [value.shape[a] if a in axes else 1 for a in range(value.rank)])
    w = splat(w, common_shape("average", [value.shape, w.shape]))
    return wrap(build.reduce_sum(value * w, axes) / build.reduce_sum(w, axes))


@operation
def ptp(x: Any, axis: Axis = None, keepdims: bool = False) -> Any:
    """The largest minus the smallest element over axes."""
    return _reduced("ptp", as_value(x), axis, keepdims, lambda v, axes: build.reduce_max(v, axes) - build.reduce_min(v, axes))


@operation(tensors="x")
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """A vector norm (over one axis, or all) or matrix norm (over two): ord None, 'fro', inf, -inf, 0, 1, -1, 2 or p."""
    value = float_value(x)
    axes = normalized_axes(axis, value.rank, "norm")

    def body(v: Value, axes: tuple[int, ...]) -> Value:
        if ord is None or (ord == "fro" and len(axes) == 2) or (ord == 2 and len(axes) == 1):
            return build.sqrt(build.reduce_sum(v * v, axes))
        size = build.abs(v)
        if len(axes) == 1:
            return _vector_norm(size, axes, ord)
        if len(axes) == 2 and ord in (1, -1, math.inf, -math.inf):
            first, second = (axes[0], axes[1]) if ord in (1, -1) else (axes[1], axes[0])
            sums = build.reduce_sum(size, (first,))
            rest = (second - 1 if second > first else second,)
            return build.reduce_max(sums, rest) if ord > 0 else build.reduce_min(sums, rest)
        raise ValueError(f"norm: ord={ord!r} over {len(axes)} axes is not supported")

    return _reduced("norm", value, axes, keepdims, body)


def _vector_norm(size: Value, axes: tuple[int, ...], ord: Any) -> Value:
    if ord == math.inf:
        return build.reduce_max(size, axes)
    if ord == -math.inf:
        return build.reduce_min(size, axes)
    if ord == 0:
        return build.reduce_sum(cast_value(build.ne(size, 0.0), size.dtype), axes)
    if ord == 1:
        return build.reduce_sum(size, axes)
    if isinstance(ord, str):
        raise ValueError(f"norm: ord={ord!r} is for matrices")
    total = build.reduce_sum(build.pow(size, build.full_like(size, ord)), axes)
    return build.pow(total, build.full_like(total, 1.0 / ord))
