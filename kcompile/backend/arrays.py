"""Keras 2's functions that make, convert and move tensors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config, ops
from ..config import floatx
from ..dtypes import DType, standardize_dtype
from ..tensor import KerasTensor, Tensor, eager_tensor
from ..tracing import operation
from ..variables import Variable

__all__ = [
    "arange", "batch_dot", "batch_flatten", "cast", "cast_to_floatx", "concatenate", "constant", "count_params", "dot", "dtype", "eval",
    "expand_dims", "eye", "flatten", "gather", "int_shape", "is_sparse", "ndim", "one_hot", "ones", "ones_like", "permute_dimensions",
    "placeholder", "print_tensor", "repeat", "repeat_elements", "reshape", "reverse", "shape", "slice", "spatial_2d_padding", "squeeze",
    "stack", "temporal_padding", "tile", "to_dense", "transpose", "zeros", "zeros_like",
]


def constant(value: Any, dtype: Any = None, shape: Any = None, name: str | None = None) -> Tensor:
    """An eager tensor of the values, in a shape; one number fills it."""
    config.load()
    tensor = eager_tensor(value, floatx() if dtype is None else dtype)
    if shape is None:
        return tensor
    wanted = tuple(int(d) for d in shape)
    array = np.asarray(tensor._array)
    count = int(np.prod(wanted))
    if array.size not in (1, count):
        raise ValueError(f"constant: {array.size} values do not fill shape {wanted}")
    return Tensor(np.full(wanted, array.reshape(-1)[0], array.dtype) if array.size == 1 else array.reshape(wanted).copy(), tensor.dtype)


def placeholder(shape: Any = None, ndim: int | None = None, dtype: Any = None, sparse: bool = False, name: str | None = None,
                ragged: bool = False) -> KerasTensor:
    """A symbolic tensor, as `keras.Input` makes it."""
    from ..layers import Input

    sizes = (None,) * (ndim or 0) if shape is None else tuple(shape)
    found: KerasTensor = Input(batch_shape=sizes, dtype=dtype, name=name)
    return found


def zeros(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of zeros."""
    return Variable(np.zeros(shape, standardize_dtype(dtype).as_numpy_dtype), name=name, autocast=False)


def ones(shape: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable of ones."""
    return Variable(np.ones(shape, standardize_dtype(dtype).as_numpy_dtype), name=name, autocast=False)


def eye(size: Any, dtype: Any = None, name: str | None = None) -> Variable:
    """A variable that holds an identity matrix."""
    rows, columns = size if isinstance(size, (tuple, list)) else (size, size)
    return Variable(np.eye(rows, columns, dtype=standardize_dtype(dtype).as_numpy_dtype), name=name, autocast=False)


def zeros_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Zeros of x's shape."""
    return ops.zeros_like(x, dtype)


def ones_like(x: Any, dtype: Any = None, name: str | None = None) -> Any:
    """Ones of x's shape."""
    return ops.ones_like(x, dtype)


def arange(start: Any, stop: Any = None, step: Any = 1, dtype: Any = "int32") -> Any:
    """start, start + step, ... below stop."""
    return ops.arange(start, stop, step, dtype)


def one_hot(indices: Any, num_classes: int) -> Any:
    """A last axis with 1 at the position the index tells."""
    return ops.one_hot(indices, num_classes)


def cast(x: Any, dtype: Any) -> Any:
    """x in another dtype."""
    return ops.cast(x, dtype)


def cast_to_floatx(x: Any) -> Any:
    """x in floatx: a tensor of a tensor, else a numpy array."""
    if isinstance(x, (Tensor, KerasTensor, Variable)):
        return ops.cast(x, floatx())
    return np.asarray(x, dtype=standardize_dtype(None).as_numpy_dtype)


def dtype(x: Any) -> DType:
    """The dtype's name."""
    return ops.dtype(x)


def shape(x: Any) -> Any:
    """The sizes; see kcompile.ops.shape."""
    return ops.shape(x)


def int_shape(x: Any) -> tuple[int | None, ...] | None:
    """The sizes as integers, None where not known."""
    found = getattr(x, "shape", None)
    return None if found is None else tuple(found)


def ndim(x: Any) -> int:
    """The number of dimensions."""
    return len(ops.shape(x))


def count_params(x: Any) -> int:
    """The number of elements."""
    return int(np.prod(tuple(x.shape), dtype=np.int64))


def is_sparse(tensor: Any) -> bool:
    """False: there are no sparse tensors here."""
    return False


def to_dense(tensor: Any) -> Any:
    """The tensor itself."""
    return tensor


def eval(x: Any) -> Any:
    """The values as a numpy array."""
    return ops.convert_to_numpy(x)


def print_tensor(x: Any, message: str = "") -> Any:
    """Print an eager tensor and return it. Raises TypeError for a symbolic one."""
    if isinstance(x, KerasTensor):
        x._refuse("print_tensor shows eager tensors only")
    print(f"{message} {x}".strip())
    return x


def reshape(x: Any, shape: Any) -> Any:
    """The same elements under another shape."""
    return ops.reshape(x, shape)


def flatten(x: Any) -> Any:
    """All elements in one dimension."""
    return ops.reshape(x, (-1,))


def batch_flatten(x: Any) -> Any:
    """All elements of a sample in one dimension."""
    return ops.reshape(x, (-1, int(np.prod(tuple(x.shape)[1:]))))


def permute_dimensions(x: Any, pattern: Sequence[int]) -> Any:
    """The axes in another order."""
    return ops.transpose(x, pattern)


def transpose(x: Any) -> Any:
    """The axes in reverse order."""
    return ops.transpose(x)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """A new axis of size 1."""
    return ops.expand_dims(x, axis)


def squeeze(x: Any, axis: int) -> Any:
    """An axis of size 1 removed."""
    return ops.squeeze(x, axis)


def stack(x: Any, axis: int = 0) -> Any:
    """Tensors along a new axis."""
    return ops.stack(x, axis)


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """Tensors one after another along an axis."""
    return ops.concatenate(tensors, axis)


def repeat(x: Any, n: int) -> Any:
    """A matrix [samples, d] repeated: [samples, n, d]. Raises ValueError for another rank."""
    if len(x.shape) != 2:
        raise ValueError(f"repeat: expected a tensor of rank 2, received shape {tuple(x.shape)}")
    return ops.repeat(ops.expand_dims(x, 1), n, axis=1)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Each element repeated along an axis."""
    return ops.repeat(x, rep, axis=axis)


def tile(x: Any, n: Any) -> Any:
    """The whole tensor repeated."""
    return ops.tile(x, n if isinstance(n, (tuple, list)) else (n,))


def reverse(x: Any, axes: Any) -> Any:
    """The order reversed along axes."""
    return ops.flip(x, axis=axes)


def gather(reference: Any, indices: Any) -> Any:
    """The rows at the indices."""
    return ops.take(reference, indices, axis=0)


def slice(x: Any, start: Any, size: Any) -> Any:
    """A block of a size that begins at start."""
    return ops.slice(x, start, size)


def dot(x: Any, y: Any) -> Any:
    """numpy's dot: the last axis of x with the second to last of y."""
    return ops.dot(x, y)


@operation
def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """For each sample the contraction of an axis of x with an axis of y (by default the last of x, the second to last of y)."""
    a, b = len(x.shape), len(y.shape)
    if a < 2 or b < 2:
        raise ValueError(f"batch_dot: expected ranks of at least 2, received shapes {tuple(x.shape)} and {tuple(y.shape)}")
    if axes is None:
        axes = (a - 1, b - 1 if b == 2 else b - 2)
    first, second = (axes, axes) if isinstance(axes, int) else axes
    first, second = first % a, second % b
    if first == 0 or second == 0:
        raise ValueError("batch_dot: axis 0 is the batch; contract other axes")
    letters = "bcdefghijklmnopqrstuvwxyz"
    left = "a" + letters[:a - 1]
    right = "a" + letters[a - 1:a + b - 2]
    right = right[:second] + left[first] + right[second + 1:]
    kept = [c for n, c in enumerate(left) if n not in (0, first)] + [c for n, c in enumerate(right) if n not in (0, second)]
    result = "a" + "".join(kept)
    product = ops.einsum(f"{left},{right}->{result}", x, y)
    return ops.expand_dims(product, 1) if len(result) == 1 else product


def temporal_padding(x: Any, padding: tuple[int, int] = (1, 1)) -> Any:
    """Zeros before and after the middle axis of [samples, time, features]."""
    return ops.pad(x, ((0, 0), tuple(padding), (0, 0)))


def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Zeros around images."""
    rows, columns = (tuple(p) for p in padding)
    if config.standardize_data_format(data_format) == "channels_first":
        return ops.pad(x, ((0, 0), (0, 0), rows, columns))
    return ops.pad(x, ((0, 0), rows, columns, (0, 0)))
