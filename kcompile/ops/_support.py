"""What the bodies of operations share: operands to graph values, promotion, broadcasting, axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import tracing
from ..dtypes import DType, ir_dtype, result_type, standardize_dtype
from ..ir import build
from ..ir import types as ir_types
from ..ir.graph import Value
from ..ir.types import Dim, DimLike, TensorType
from ..tensor import TracedTensor
from ..tracing import SymbolicSize, none_shape, require_trace

Axis = int | Sequence[int] | None


def wrap(value: Value) -> TracedTensor:
    """A graph value as the user holds it."""
    return TracedTensor(value)


def is_python_scalar(x: Any) -> bool:
    """A number whose type is weak: it takes the type of the other operand."""
    return isinstance(x, (bool, int, float)) and not isinstance(x, np.generic)


def kind(x: Any) -> Any:
    """What `result_type` needs to know of an operand: its dtype, or the Python type of a weak number."""
    if is_python_scalar(x):
        return type(x) if type(x) in (bool, int, float) else int
    if isinstance(x, SymbolicSize):
        return int
    dtype = getattr(x, "dtype", None)
    return dtype if dtype is not None else wrap(as_value(x)).dtype


def graph() -> Any:
    """The graph under construction."""
    return require_trace("an operation").graph


def as_value(x: Any, dtype: DType | str | None = None) -> Value:
    """An operand as a graph value, cast where a dtype is asked for."""
    if is_python_scalar(x) and dtype is not None:
        return build.constant(graph(), x, TensorType((), ir_dtype(dtype)))
    if isinstance(x, SymbolicSize):
        return x.tensor(dtype or "int32").value
    value = require_trace("an operation").value_of(x)
    return value if dtype is None else cast_value(value, ir_dtype(dtype))


def cast_value(value: Value, dtype: ir_types.DType) -> Value:
    """A conversion; constants are converted at once. From float to integer truncates, to bool asks for non-zero."""
    if value.dtype == dtype:
        return value
    if value.node.op.name == "constant" and not isinstance(value.node.attrs["value"], tuple):
        number = value.node.attrs["value"]
        if dtype.kind == "b":
            number = bool(number)
        elif dtype.is_integer and value.dtype.is_float:
            number = np.asarray(number, value.dtype.numpy).astype(dtype.numpy).item()
        return build.constant(value.graph, number, TensorType(value.shape, dtype))
    return build.cast(value, dtype)


def float_value(x: Any) -> Value:
    """An operand as a float value: integers and bools become floatx."""
    value = as_value(x)
    return value if value.dtype.is_float else cast_value(value, ir_dtype(result_type(wrap(value).dtype, float)))


def splat(value: Value, shape: Sequence[DimLike]) -> Value:
    """numpy's broadcast to `shape`; a constant number becomes a constant of that shape."""
    wanted = tuple(shape)
    if value.shape == wanted:
        return value
    if value.node.op.name == "constant" and not isinstance(value.node.attrs["value"], tuple):
        return build.constant(value.graph, value.node.attrs["value"], TensorType(wanted, value.dtype))
    return build.expand(value, wanted)


def common_shape(name: str, shapes: Sequence[Sequence[DimLike]]) -> tuple[DimLike, ...]:
    """The shape numpy broadcasts to. Raises ValueError naming the operation and the shapes."""
    rank = max(len(shape) for shape in shapes)
    result: list[DimLike] = [1] * rank
    for shape in shapes:
        for axis, dim in enumerate(shape, rank - len(shape)):
            if dim == 1 or dim == result[axis]:
                continue
            if result[axis] != 1:
                shown = " and ".join(str(tuple(s)) for s in shapes)
                hint = "; a symbolic size equals another one only by name" if isinstance(dim, Dim) or isinstance(result[axis], Dim) else ""
                raise ValueError(f"{name}: shapes {shown} cannot be broadcast together (axis {axis}: {result[axis]} against {dim}{hint})")
            result[axis] = dim
    return tuple(result)


def aligned(name: str, *operands: Any, dtype: DType | str | None = None) -> list[Value]:
    """The operands cast to their common type (or `dtype`) and broadcast to their common shape."""
    common = dtype if dtype is not None else result_type(*(kind(x) for x in operands))
    return spread(name, *((x, common) for x in operands))


def spread(name: str, *operands: tuple[Any, DType | str]) -> list[Value]:
    """(operand, dtype) pairs as values of their dtypes, broadcast to their common shape; a number is made in that shape at once."""
    values = [None if is_python_scalar(x) else as_value(x, dtype) for x, dtype in operands]
    shape = common_shape(name, [v.shape for v in values if v is not None] or [()])
    return [build.constant(graph(), x, TensorType(shape, ir_dtype(dtype))) if v is None else splat(v, shape)
            for v, (x, dtype) in zip(values, operands, strict=True)]


def normalized_axis(axis: Any, rank: int, name: str) -> int:
    """A non-negative axis. Raises ValueError."""
    number = int(axis.__index__())
    if not -rank <= number < rank:
        raise ValueError(f"{name}: axis {number} is out of range for a tensor of rank {rank}")
    return number % rank


def normalized_axes(axis: Axis, rank: int, name: str) -> tuple[int, ...]:
    """Sorted non-negative axes; None means all. Raises ValueError."""
    if axis is None:
        return tuple(range(rank))
    axes = axis if isinstance(axis, (tuple, list, range)) else (axis,)
    found = [normalized_axis(a, rank, name) for a in axes]
    if len(set(found)) != len(found):
        raise ValueError(f"{name}: an axis is given twice: {tuple(axes)}")
    return tuple(sorted(found))


def keep_dims(value: Value, shape: Sequence[DimLike], axes: Sequence[int]) -> Value:
    """The result of a reduction with its axes put back with extent 1."""
    return build.reshape(value, [1 if n in axes else d for n, d in enumerate(shape)])


def shape_parts(shape: Any) -> list[Any]:
    """The sizes of a shape argument: a sequence, an eager integer tensor or array, or one size."""
    if isinstance(shape, (tuple, list)):
        return list(shape)
    if hasattr(shape, "__array__") and not isinstance(shape, TracedTensor):
        found: list[Any] = np.asarray(shape).reshape(-1).tolist()
        return found
    return [shape]


def graph_shape(shape: Any, name: str) -> tuple[DimLike, ...]:
    """A shape argument: integers, symbolic sizes, or an eager integer tensor. Raises ValueError for a negative size."""
    dims = tuple(tracing.dim_of(part) for part in shape_parts(shape))
    if any(not isinstance(d, Dim) and d < 0 for d in dims):
        raise ValueError(f"{name}: a size must not be negative, received {none_shape(dims)}")
    return dims


def static_dim(dim: DimLike, name: str, what: str) -> int:
    """A size that must be known while tracing. Raises ValueError."""
    if isinstance(dim, Dim):
        raise ValueError(f"{name}: {what} must be known before the data is, but it is {dim}")
    return dim


def dtype_or(dtype: Any, default: Any) -> DType:
    """The dtype that was given, or the default for None. Raises ValueError for what is no dtype."""
    return standardize_dtype(default if dtype is None else dtype)
