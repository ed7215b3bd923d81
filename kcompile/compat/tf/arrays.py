"""tf.*: making, casting, reshaping, joining, picking. TensorFlow's argument names over kcompile.ops."""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from kcompile import ops
from kcompile.config import floatx
from kcompile.dtypes import numpy_dtype, standardize_dtype
from kcompile.tensor import KerasTensor, Tensor, eager_tensor
from kcompile.tracing import SymbolicSize

newaxis = None



def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Any:
    """An eager tensor; a single value is repeated to fill `shape`. Python floats are float32, integers int32, arrays as they are.

    Raises ValueError when the values do not fill the shape.
    """
    tensor = eager_tensor(value, dtype)
    if dtype is None and isinstance(value, (float, list, tuple)) and tensor.dtype == floatx() != "float32":
        tensor = eager_tensor(value, "float32")  # whatever Keras's default, which TensorFlow does not know
    if shape is None:
        return tensor
    wanted = sizes(shape)
    wanted = (wanted,) if isinstance(wanted, int) else tuple(wanted)
    if tensor.size not in (1, math.prod(wanted)):
        raise ValueError(f"tf.constant: {tensor.size} values, of shape {tuple(tensor.shape)}, do not fill shape {wanted}")
    array = tensor.numpy()
    return Tensor(np.full(wanted, array, array.dtype) if tensor.size == 1 else array.reshape(wanted), tensor.dtype)


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
    if not isinstance(input, KerasTensor):
        return Tensor(np.array(found, dtype=numpy_dtype(out_type)))
    return found


def sizes(shape: Any) -> Any:
    """A shape argument, which TensorFlow takes as a tensor too, in the form that kcompile.ops takes."""
    if isinstance(shape, (Tensor, np.ndarray)):
        return tuple(np.asarray(shape).tolist()) if shape.ndim else int(shape)
    return tuple(int(d) if isinstance(d, Tensor) else d for d in shape) if isinstance(shape, (list, tuple)) else shape


def _is_shape(sizes: Any) -> bool:
    """Whether a sequence is a shape with sizes that are known only when the data is."""
    return builtins.all(isinstance(d, (int, SymbolicSize)) for d in sizes) and builtins.any(isinstance(d, SymbolicSize) for d in sizes)


def size(input: Any, out_type: Any = "int32", name: str | None = None) -> Any:
    """Number of elements."""
    return ops.cast(ops.size(input), standardize_dtype(out_type))


def rank(input: Any, name: str | None = None) -> Any:
    """Number of dimensions."""
    return Tensor(np.array(ops.ndim(input), dtype="int32"))


def reshape(tensor: Any, shape: Any, name: str | None = None) -> Any:
    """The same elements in another shape; -1 is worked out."""
    return ops.reshape(tensor, sizes(shape))


def concat(values: Any, axis: int, name: str | None = None) -> Any:
    """Join along an existing axis. Shapes taken with tf.shape in a layer are joined as shapes."""
    if builtins.all(isinstance(value, (list, tuple)) for value in values):
        joined = tuple(size for value in values for size in value)
        if _is_shape(joined):
            return joined
    return ops.concatenate(values, axis=axis)


def stack(values: Any, axis: int = 0, name: str | None = None) -> Any:
    """Join along a new axis. Sizes taken from tf.shape in a layer are joined to a shape."""
    if _is_shape(values):
        return tuple(values)
    return ops.stack(values, axis=axis)


def unstack(value: Any, num: int | None = None, axis: int = 0, name: str | None = None) -> Any:
    """The slices along an axis, as a list."""
    return ops.unstack(value, num=num, axis=axis)


def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: int | None = None, name: str | None = None) -> Any:
    """Cut into equal parts, or into parts of the given sizes, of which one may be -1: what is left."""
    parts = sizes(num_or_size_splits)
    if isinstance(parts, tuple):
        if -1 in parts:
            rest = ops.shape(value)[axis] - builtins.sum(n for n in parts if n != -1)
            parts = [rest if n == -1 else n for n in parts]
        parts = [int(n) for n in np.cumsum(parts)[:-1]]
    return ops.split(value, parts, axis=axis)


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
    return ops.tile(input, sizes(multiples))


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
    """on_value where the class is, off_value elsewhere; all off for an index that is no class. The values say the dtype."""
    axis = -1 if axis is None else axis
    if dtype is None:
        given = next((value for value in (on_value, off_value) if value is not None), 1.0)
        dtype = ops.convert_to_tensor(given).dtype
    if on_value is None and off_value is None:
        return ops.one_hot(indices, depth, axis=axis, dtype=standardize_dtype(dtype))
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    return ops.cast(ops.where(ops.one_hot(indices, depth, axis=axis, dtype="bool"), on, off), standardize_dtype(dtype))


def argmax(input: Any, axis: int | None = None, output_type: Any = "int64", name: str | None = None) -> Any:
    """Index of the largest element along `axis` (0 by default, as in TensorFlow)."""
    return ops.cast(ops.argmax(input, axis=0 if axis is None else axis), standardize_dtype(output_type))


def argmin(input: Any, axis: int | None = None, output_type: Any = "int64", name: str | None = None) -> Any:
    """Index of the smallest element along `axis` (0 by default)."""
    return ops.cast(ops.argmin(input, axis=0 if axis is None else axis), standardize_dtype(output_type))


def gather(params: Any, indices: Any, validate_indices: Any = None, axis: int | None = None, batch_dims: int = 0,
           name: str | None = None) -> Any:
    """Rows picked by index along `axis`; with batch_dims=1, by the indices of each row's own (along axis 1).

    Raises ValueError for more batch dimensions, or another axis with them.
    """
    if not batch_dims:
        return ops.take(params, indices, axis=axis or 0)
    if batch_dims != 1 or axis not in (None, 1) or ops.ndim(indices) != 2:
        raise ValueError("tf.gather: batch_dims=1 with indices [batch, picked] along axis 1 is what is supported; "
                         f"received batch_dims={batch_dims}, axis={axis}, indices of rank {ops.ndim(indices)}")
    batch, picked = ops.shape(indices)
    rest = ops.shape(params)[2:]
    indices = ops.broadcast_to(ops.reshape(indices, (batch, picked, *[1] * len(rest))), (batch, picked, *rest))
    return ops.take_along_axis(params, indices, axis=1)


def where(condition: Any, x: Any = None, y: Any = None, name: str | None = None) -> Any:
    """x where the condition holds, y elsewhere."""
    if x is None or y is None:
        found = np.argwhere(np.asarray(condition))
        return Tensor(found.astype("int64"))
    return ops.where(condition, x, y)


def boolean_mask(tensor: Any, mask: Any, axis: int = 0, name: str | None = None) -> Any:
    """The rows where the mask holds; eager only, for its size depends on the data."""
    picked = (slice(None),) * axis + (np.asarray(mask, bool),)
    return Tensor(np.asarray(tensor)[picked])


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
    return ops.zeros(sizes(shape), dtype=standardize_dtype(dtype))


def ones(shape: Any, dtype: Any = "float32", name: str | None = None) -> Any:
    """All one."""
    return ops.ones(sizes(shape), dtype=standardize_dtype(dtype))


def zeros_like(input: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros of the same shape."""
    return ops.zeros_like(input, dtype=dtype)


def ones_like(input: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones of the same shape."""
    return ops.ones_like(input, dtype=dtype)


def fill(dims: Any, value: Any, name: str | None = None) -> Any:
    """One value everywhere."""
    return ops.full(sizes(dims), value, dtype=ops.convert_to_tensor(value).dtype)


def eye(num_rows: int, num_columns: int | None = None, batch_shape: Any = None, dtype: Any = "float32", name: str | None = None) -> Any:
    """The identity matrix, once for each element of `batch_shape`."""
    matrix = ops.eye(num_rows, num_columns, dtype=standardize_dtype(dtype))
    return matrix if batch_shape is None else ops.broadcast_to(matrix, (*sizes(batch_shape), num_rows, num_columns or num_rows))


def broadcast_to(input: Any, shape: Any, name: str | None = None) -> Any:
    """Repeated along the axes of extent 1 (and new leading ones) to fill `shape`."""
    return ops.broadcast_to(input, sizes(shape))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: str | None = None) -> Any:
    """start, start + delta, ... below limit."""
    if limit is None:
        start, limit = 0, start
    return ops.arange(start, limit, delta, dtype=dtype)


def linspace(start: Any, stop: Any, num: int, name: str | None = None, axis: int = 0) -> Any:
    """`num` values evenly spaced, both ends included."""
    return ops.linspace(start, stop, num, axis=axis)


def meshgrid(*args: Any, indexing: str = "xy", name: str | None = None) -> Any:
    """Coordinate grids of vectors, "xy" or "ij"."""
    return ops.meshgrid(*args, indexing=indexing)
