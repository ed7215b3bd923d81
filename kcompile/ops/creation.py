"""Operations that make tensors out of nothing but numbers: zeros, ranges, identities, triangles, windows."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from ..dtypes import DType, ir_dtype, result_type, standardize_dtype
from ..ir import build
from ..ir.graph import Value
from ..ir.types import Dim, TensorType, f32, i32, i64
from ..tracing import SymbolicSize, operation
from ._support import aligned, as_value, cast_value, dtype_or, graph, graph_shape, kind, splat, wrap

__all__ = [
    "arange", "bartlett", "blackman", "diag", "diagflat", "empty", "empty_like", "eye", "full", "full_like", "geomspace", "hamming",
    "hanning",
    "identity", "linspace", "logspace", "meshgrid", "multi_hot", "one_hot", "ones", "ones_like", "tri", "tril", "triu", "vander",
    "zeros", "zeros_like",
]


def _filled(shape: Any, number: Any, dtype: DType, name: str) -> Any:
    return wrap(build.constant(graph(), number, TensorType(graph_shape(shape, name), ir_dtype(dtype))))


@operation(creates=True)
def zeros(shape: Any, dtype: Any = None) -> Any:
    """Zeros of a shape; floatx by default."""
    return _filled(shape, 0, standardize_dtype(dtype), "zeros")


@operation(creates=True)
def ones(shape: Any, dtype: Any = None) -> Any:
    """Ones of a shape; floatx by default."""
    return _filled(shape, 1, standardize_dtype(dtype), "ones")


@operation(creates=True)
def empty(shape: Any, dtype: Any = None) -> Any:
    """A tensor of a shape whose values do not matter (they are zeros)."""
    return _filled(shape, 0, standardize_dtype(dtype), "empty")


@operation(tensors="fill_value", creates=True)
def full(shape: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One value (broadcast) of a shape; its own dtype by default."""
    value = as_value(fill_value, standardize_dtype(dtype))
    return wrap(splat(value, graph_shape(shape, "full")))


@operation
def zeros_like(x: Any, dtype: Any = None) -> Any:
    """Zeros of x's shape and dtype."""
    value = as_value(x)
    return wrap(build.constant(value.graph, 0, TensorType(value.shape, value.dtype if dtype is None else ir_dtype(dtype))))


@operation
def ones_like(x: Any, dtype: Any = None) -> Any:
    """Ones of x's shape and dtype."""
    value = as_value(x)
    return wrap(build.constant(value.graph, 1, TensorType(value.shape, value.dtype if dtype is None else ir_dtype(dtype))))


@operation
def empty_like(x: Any, dtype: Any = None) -> Any:
    """A tensor of x's shape and dtype whose values do not matter (they are zeros)."""
    value = as_value(x)
    return wrap(build.constant(value.graph, 0, TensorType(value.shape, value.dtype if dtype is None else ir_dtype(dtype))))


@operation
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Any:
    """One value (broadcast) of x's shape and dtype."""
    value = as_value(x)
    return wrap(splat(as_value(fill_value, dtype_or(dtype, wrap(value).dtype)), value.shape))


@operation(creates=True)
def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Any:
    """start, start + step, ... below stop; from 0 when only one number is given. int32, or floatx where a number is a float."""
    if stop is None:
        start, stop = 0, start
    step = 1 if step is None else step
    kinds = [type(x) if isinstance(x, (bool, int, float)) and not isinstance(x, np.generic) else kind(x) for x in (start, stop, step)]
    name = standardize_dtype(dtype) if dtype is not None else result_type(*kinds)
    if isinstance(stop, SymbolicSize) or isinstance(start, SymbolicSize):
        if step != 1:
            raise ValueError("arange: a step other than 1 needs sizes that are known before the data is")
        low: Any = start.dim if isinstance(start, SymbolicSize) else int(start)
        high: Any = stop.dim if isinstance(stop, SymbolicSize) else int(stop)
        return wrap(_counted(high - low, start, step, name))
    count = builtins.max(0, math.ceil((stop - start) / step))
    return wrap(_counted(count, start, step, name))


def _counted(count: Any, start: Any, step: Any, name: DType) -> Value:
    dtype = ir_dtype(name)
    exact = dtype if dtype.size >= 4 else (f32 if dtype.is_float else i32)
    positions = build.iota(graph(), (count,), 0, exact)
    if not isinstance(step, (int, float)) or step != 1:
        positions = positions * step
    if isinstance(start, SymbolicSize) or start != 0:
        positions = positions + splat(as_value(start, wrap(positions).dtype), positions.shape)
    return cast_value(positions, dtype)


@operation(tensors="start stop")
def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: Any = None, axis: int = 0) -> Any:
    """`num` evenly spaced values from start to stop (included with endpoint); with retstep, (values, step)."""
    name = dtype_or(dtype, result_type(kind(start), kind(stop), float))
    work = name if name.is_floating else result_type(float)
    a, b = aligned("linspace", start, stop, dtype=work)
    parts = num - 1 if endpoint else num
    step = (b - a) / parts if parts else build.full_like(a, math.nan)
    position = build.iota(a.graph, (num, *a.shape), 0, a.dtype)
    first, last, grid = (splat(build.reshape(v, (1, *v.shape)), position.shape) for v in (a, b, step))
    values = first + position * grid if parts else first
    if endpoint and num > 1:  # the last one exactly
        values = build.select(build.eq(position, num - 1), last, values)
    result = cast_value(values, ir_dtype(name))
    if axis:
        from .shapes import moveaxis

        moved = moveaxis(wrap(result), 0, axis)
        return (moved, wrap(step)) if retstep else moved
    return (wrap(result), wrap(step)) if retstep else wrap(result)


def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10, dtype: Any = None, axis: int = 0) -> Any:
    """`num` values from base**start to base**stop, evenly spaced in the exponent."""
    from .arithmetic import power
    from .elementwise import cast

    result = power(base, linspace(start, stop, num, endpoint, axis=axis))
    return result if dtype is None else cast(result, dtype)


def geomspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None, axis: int = 0) -> Any:
    """`num` values from start to stop, each a fixed multiple of the one before."""
    from .elementwise import cast, exp, log, sign

    first = sign(start)
    result = first * exp(linspace(log(first * start), log(first * stop), num, endpoint, axis=axis))
    return result if dtype is None else cast(result, dtype)


@operation(creates=True)
def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones on a diagonal (k above the main one) of an N x M matrix, zeros elsewhere; floatx by default."""
    rows, columns = _grid(int(N), int(N if M is None else M))
    return wrap(cast_value(build.eq(columns - rows, int(k)), ir_dtype(dtype)))


def identity(n: int, dtype: Any = None) -> Any:
    """The n x n identity matrix."""
    return eye(n, dtype=dtype)


def _grid(rows: Any, columns: Any) -> tuple[Value, Value]:
    """(row numbers, column numbers) of a matrix; int32."""
    return build.iota(graph(), (rows, columns), 0, i32), build.iota(graph(), (rows, columns), 1, i32)


@operation(creates=True)
def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Any:
    """Ones at and below a diagonal, zeros above; floatx by default."""
    rows, columns = _grid(int(N), int(N if M is None else M))
    return wrap(cast_value(build.le(columns - rows, int(k)), ir_dtype(dtype)))


def _triangle(x: Any, k: int, lower: bool) -> Any:
    value = as_value(x)
    rows, columns = (build.iota(value.graph, value.shape, value.rank - n, i32) for n in (2, 1))
    keep = build.le(columns - rows, k) if lower else build.ge(columns - rows, k)
    return wrap(build.select(keep, value, build.zeros_like(value)))


@operation
def tril(x: Any, k: int = 0) -> Any:
    """The lower triangle of the last two axes; zeros above diagonal k."""
    return _triangle(x, int(k), lower=True)


@operation
def triu(x: Any, k: int = 0) -> Any:
    """The upper triangle of the last two axes; zeros below diagonal k."""
    return _triangle(x, int(k), lower=False)


@operation
def diag(x: Any, k: int = 0) -> Any:
    """A matrix with the vector on diagonal k, or the diagonal k of a matrix."""
    value = as_value(x)
    if value.rank == 2:
        from .indexing import diagonal

        return diagonal(wrap(value), offset=k)
    if value.rank != 1:
        raise ValueError(f"diag: expected a vector or a matrix, received shape {value.shape}")
    size = value.shape[0] + builtins.abs(int(k))
    padded = build.pad(value, [builtins.max(0, int(k))], [builtins.max(0, -int(k))], 0)
    rows, columns = _grid(size, size)
    spread = build.broadcast(padded, (size, size), (1,))
    return wrap(build.select(build.eq(columns - rows, int(k)), spread, build.zeros_like(spread)))


@operation
def diagflat(x: Any, k: int = 0) -> Any:
    """A matrix with all elements on diagonal k."""
    value = as_value(x)
    return diag(wrap(build.reshape(value, [value.type.size])), k)


@operation
def meshgrid(*x: Any, indexing: str = "xy") -> Any:
    """Coordinate matrices of coordinate vectors."""
    if indexing not in ("xy", "ij"):
        raise ValueError(f"meshgrid: indexing must be 'xy' or 'ij', received {indexing!r}")
    values = [as_value(v) for v in x]
    order = list(range(len(values)))
    if indexing == "xy" and len(order) > 1:
        order[0], order[1] = 1, 0
    shape = [values[n].type.size for n in order]
    return [wrap(build.broadcast(build.reshape(v, [v.type.size]), shape, (order.index(n),))) for n, v in enumerate(values)]


def _window(name: str, doc: str, body: Any) -> Any:
    def function(x: Any) -> Any:
        size = int(x)
        position = build.iota(graph(), (size,), 0, f32)
        return wrap(build.ones_like(position) if size <= 1 else body(position, size - 1))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc
    return operation(creates=True)(function)


bartlett = _window("bartlett", "A triangular window of x samples.", lambda n, m: 1 - build.abs(n * (2 / m) - 1))
hanning = _window("hanning", "A raised-cosine window of x samples.", lambda n, m: 0.5 - build.cos(n * (2 * math.pi / m)) * 0.5)
hamming = _window("hamming", "A raised-cosine window on a pedestal, of x samples.",
                  lambda n, m: 0.54 - build.cos(n * (2 * math.pi / m)) * 0.46)
blackman = _window("blackman", "A window of two cosines, of x samples.",
                   lambda n, m: 0.42 - build.cos(n * (2 * math.pi / m)) * 0.5 + build.cos(n * (4 * math.pi / m)) * 0.08)


@operation(tensors="x")
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Any:
    """A new axis of size num_classes with 1 at the position x tells, 0 elsewhere (all 0 out of range); floatx by default."""
    if sparse:
        raise ValueError("one_hot: sparse tensors are not supported")
    return wrap(one_hot_value(as_value(x), int(num_classes), axis, ir_dtype(dtype)))


def one_hot_value(value: Value, count: int, axis: int, dtype: Any) -> Value:
    """The one-hot encoding of an integer value."""
    if not value.dtype.is_integer:
        value = cast_value(value, i32)
    place = axis % (value.rank + 1)
    shape = (*value.shape[:place], count, *value.shape[place:])
    spread = build.broadcast(value, shape, [n for n in range(len(shape)) if n != place])
    return cast_value(build.eq(spread, build.iota(value.graph, shape, place, value.dtype)), dtype)


@operation
def multi_hot(inputs: Any, num_classes: int | None = None, axis: int = -1, dtype: Any = None, sparse: bool = False, **kwargs: Any) -> Any:
    """1 at each position that occurs along the (integer) axis: the axis becomes one of size num_classes."""
    count = kwargs.pop("num_tokens", num_classes)
    if kwargs or sparse or count is None:
        raise ValueError("multi_hot takes inputs, num_classes, axis and dtype")
    value = as_value(inputs)
    encoded = one_hot_value(value, int(count), -1, f32)
    reduced = (value.rank - 1,) if value.rank > 1 or axis == -1 else (0,)
    return wrap(cast_value(build.reduce_max(encoded, reduced if value.rank else ()), ir_dtype(dtype)))


@operation(tensors="x")
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers of a vector's elements, a row each."""
    value = as_value(x)
    if isinstance(value.shape[0], Dim) and N is None:
        raise ValueError("vander: N is needed where the length is not known before the data is")
    count = int(N if N is not None else value.shape[0])  # type: ignore[arg-type]
    shape = (value.shape[0], count)
    exponent = build.iota(value.graph, shape, 1, value.dtype if value.dtype.size >= 4 else i64)
    if not increasing:
        exponent = (count - 1) - exponent
    return wrap(build.pow(build.broadcast(value, shape, (0,)), cast_value(exponent, value.dtype)))
