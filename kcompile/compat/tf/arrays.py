"""tf.*: making, casting, reshaping, joining, picking. TensorFlow's argument names over kcompile.ops."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.dtypes import standardize_dtype
from kcompile.tensor import Tensor


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """An eager tensor; a single value is repeated to fill `shape`."""
    from kcompile.backend import constant as backend_constant
    return backend_constant(value, dtype=dtype, shape=shape, name=name)


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: str | None = None) -> Any:
    """A tensor of the value."""
    return ops.convert_to_tensor(value, dtype=dtype)


def cast(x: Any, dtype: Any, name: str | None = None) -> Any:
    """The same values in another dtype; an eager array stays eager."""
    return ops.cast(x, standardize_dtype(dtype))


def identity(input: Any, name: str | None = None) -> Any:
    """The tensor itself."""
    return ops.convert_to_tensor(input)


def stop_gradient(input: Any, name: str | None = None) -> Any:
    """The tensor, through which no gradient flows."""
    return ops.stop_gradient(input)


def shape(input: Any, out_type: Any = "int32", name: str | None = None) -> Any:
    """The shape: an integer tensor for an eager input, a tuple (with the symbolic batch size) for a symbolic one."""
    found = ops.shape(input)
    if builtins.all(isinstance(d, int) for d in found):
        return Tensor(np.array(found, dtype=str(standardize_dtype(out_type))))
    return found


def _sizes(shape: Any) -> Any:
    return tuple(int(d) for d in shape.numpy()) if isinstance(shape, Tensor) else shape


def size(input: Any, out_type: Any = "int32", name: str | None = None) -> Any:
    """Number of elements."""
    return ops.size(input)


def rank(input: Any, name: str | None = None) -> Any:
    """Number of dimensions."""
    return Tensor(np.array(len(input.shape), dtype="int32"))


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """The same elements in another shape; -1 is worked out."""
    return ops.reshape(tensor, _sizes(shape))


def concat(values: Any, axis: int, name: str | None = None) -> Any:
    """Join along an existing axis."""
    return ops.concatenate(values, axis=axis)


def stack(values: Any, axis: int = 0, name: str | None = None) -> Any:
    """Join along a new axis."""
    return ops.stack(values, axis=axis)


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str | None = None) -> Any:
    """The slices along an axis, as a list."""
    return ops.unstack(value, num=num, axis=axis)


def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: int | None = None, name: str | None = None) -> Any:
    """Cut into equal parts, or into parts of the given sizes."""
    if not isinstance(num_or_size_splits, int):
        num_or_size_splits = [int(n) for n in np.cumsum(num_or_size_splits)[:-1]]
    return ops.split(value, num_or_size_splits, axis=axis)


def expand_dims(input: Any, axis: int, name: str | None = None) -> Any:
    """A new axis of extent 1."""
    return ops.expand_dims(input, axis)


def squeeze(input: Any, axis: Any = None, name: str | None = None) -> Any:
    """Without axes of extent 1."""
    return ops.squeeze(input, axis=axis)


def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: str | None = None) -> Any:
    """Axes in another order; reversed by default."""
    return ops.transpose(a, axes=perm)


def reverse(tensor: Any, axis: Any, name: str | None = None) -> Any:
    """Mirrored along the axes."""
    return ops.flip(tensor, axis=axis)


def tile(input: Any, multiples: Any, name: str | None = None) -> Any:
    """Repeated along each axis."""
    return ops.tile(input, _sizes(multiples))


def repeat(input: Any, repeats: Any, axis: int | None = None, name: str | None = None) -> Any:
    """Each element repeated."""
    return ops.repeat(input, repeats, axis=axis)


def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: str | None = None) -> Any:
    """Edges added: CONSTANT, REFLECT or SYMMETRIC."""
    if isinstance(paddings, Tensor):
        paddings = paddings.numpy().tolist()
    mode = mode.lower()
    return ops.pad(tensor, paddings, mode=mode, constant_values=constant_values if mode == "constant" else None)


def one_hot(indices: Any, depth: int, on_value: Any = None, off_value: Any = None, axis: int | None = None, dtype: Any = None,
            name: str | None = None) -> Any:
    """on_value where the class is, off_value elsewhere."""
    dtype = standardize_dtype(dtype) if dtype is not None else "float32"
    hot = ops.one_hot(indices, depth, axis=-1 if axis is None else axis, dtype=dtype)
    if on_value is None and off_value is None:
        return hot
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    return hot * (on - off) + off


def argmax(input: Any, axis: int | None = None, output_type: Any = "int64", name: str | None = None) -> Any:
    """Index of the largest element along `axis` (0 by default, as in TensorFlow)."""
    return ops.cast(ops.argmax(input, axis=0 if axis is None else axis), standardize_dtype(output_type))


def argmin(input: Any, axis: int | None = None, output_type: Any = "int32", name: str | None = None) -> Any:
    """Index of the smallest element along `axis` (0 by default)."""
    return ops.cast(ops.argmin(input, axis=0 if axis is None else axis), standardize_dtype(output_type))


def gather(params: Any, indices: Any, validate_indices: Any = None, axis: int = 0, batch_dims: int = 0, name: str | None = None) -> Any:
    """Rows picked by index."""
    if batch_dims:
        raise ValueError("tf.gather with batch_dims is not supported; use keras.ops.take_along_axis")
    return ops.take(params, indices, axis=axis)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """x where the condition holds, y elsewhere."""
    if x is None or y is None:
        found = np.argwhere(np.asarray(condition))
        return Tensor(found.astype("int64"))
    return ops.where(condition, x, y)


def boolean_mask(tensor: Any, mask: Any, axis: int = 0, name: str | None = None) -> Any:
    """The rows where the mask holds; eager only, for its size depends on the data."""
    return Tensor(np.compress(np.asarray(mask), np.asarray(tensor), axis=axis))


def clip_by_value(t: Any, clip_value_min: Any, clip_value_max: Any, name: str | None = None) -> Any:
    """Every element between the bounds."""
    return ops.clip(t, clip_value_min, clip_value_max)


def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: str | None = None) -> Any:
    """Sorted; eager only."""
    ordered = np.sort(np.asarray(values), axis=axis)
    return Tensor(ordered if direction == "ASCENDING" else np.flip(ordered, axis=axis))


def argsort(values: Any, axis: int = -1, direction: str = "ASCENDING", stable: bool = False, name: str | None = None) -> Any:
    """Indices that sort; eager only."""
    array = np.asarray(values)
    order = np.argsort(array if direction == "ASCENDING" else -array, axis=axis, kind="stable")
    return Tensor(order.astype("int32"))


def zeros(shape: Any, dtype: Any = "float32", name: str | None = None) -> Any:
    """All zero."""
    return ops.zeros(_sizes(shape), dtype=standardize_dtype(dtype))


def ones(shape: Any, dtype: Any = "float32", name: str | None = None) -> Any:
    """All one."""
    return ops.ones(_sizes(shape), dtype=standardize_dtype(dtype))


def zeros_like(input: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros of the same shape."""
    return ops.zeros_like(input, dtype=dtype)


def ones_like(input: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones of the same shape."""
    return ops.ones_like(input, dtype=dtype)


def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    """One value everywhere."""
    return ops.full(_sizes(dims), value)


def eye(num_rows: int, num_columns: int | None = None, batch_shape: Any = None, dtype: Any = "float32", name: str | None = None) -> Any:
    """The identity matrix."""
    return ops.eye(num_rows, num_columns, dtype=standardize_dtype(dtype))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = None) -> Any:
    """start, start + delta, ... below limit."""
    if limit is None:
        start, limit = 0, start
    return ops.arange(start, limit, delta, dtype=dtype)


def linspace(start: Any, stop: Any, num: int, name: str | None = None, axis: int = 0) -> Any:
    """`num` values evenly spaced, both ends included."""
    return ops.linspace(start, stop, num, axis=axis)


def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> Any:
    """Coordinate grids; eager only."""
    return [Tensor(grid) for grid in np.meshgrid(*[np.asarray(a) for a in args], indexing=indexing)]  # type: ignore[call-overload]
