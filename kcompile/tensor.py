"""The three kinds of tensor and their operators.

`KerasTensor` is symbolic (a functional model under construction), `TracedTensor` holds a value of the graph being traced,
`Tensor` is eager and holds a numpy array. All share `TensorOperators`, whose methods call `kcompile.ops`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
import numpy.typing as npt

from .conversion import as_array, cast_array
from .dtypes import DType, numpy_dtype, standardize_dtype
from .naming import auto_name
from .operators import TensorOperators, ops
from .symbols import none_shape
from .trace_state import user_source

if TYPE_CHECKING:
    from .ir.graph import Value
    from .operation import Operation


class Shape(tuple[Any, ...]):
    """A tuple of sizes; None where a size is not known before the data is. `as_list()` and `rank` serve TensorFlow programs."""

    __slots__ = ()

    def as_list(self) -> list[Any]:
        return list(self)

    @property
    def rank(self) -> int:
        return len(self)

    @property
    def ndims(self) -> int:
        return len(self)

    @property
    def dims(self) -> list[Any]:
        return list(self)

    def num_elements(self) -> int | None:
        """The number of elements, or None when a size is not known."""
        total = 1
        for size in self:
            if size is None:
                return None
            total *= size
        return total

    def is_fully_defined(self) -> bool:
        return None not in self


def standardize_shape(shape: Any) -> Shape:
    """A Shape from an integer or a sequence of integers and Nones. Raises ValueError."""
    if isinstance(shape, (int, np.integer)) and not isinstance(shape, bool):
        shape = (shape,)
    if shape is None or isinstance(shape, (str, bytes)) or not hasattr(shape, "__iter__"):
        raise ValueError(f"Not a shape: {shape!r}; expected a tuple of integers and Nones")
    sizes: list[int | None] = []
    for size in shape:
        if size is None:
            sizes.append(None)
            continue
        if isinstance(size, bool) or not hasattr(size, "__index__"):
            raise ValueError(f"Cannot convert {tuple(shape)!r} to a shape. Found invalid entry {size!r} of type "
                             f"{type(size).__name__}; expected integers and Nones")
        if int(size) < 0:
            raise ValueError(f"Cannot convert {tuple(shape)!r} to a shape. Negative dimensions are not allowed")
        sizes.append(int(size))
    return Shape(sizes)


class KerasHistory(NamedTuple):
    """Where a symbolic tensor comes from: the operation, the number of its call, the number of the result."""

    operation: Operation
    node_index: int
    tensor_index: int


class KerasTensor(TensorOperators):
    """A symbolic tensor: a shape (None where unknown), a dtype, and where it came from (`_keras_history`).

    It has no value: Python's `if`, `float()`, `len()` of an unknown size and conversion to numpy raise TypeError.
    """

    def __init__(self, shape: Any, dtype: Any = "float32", sparse: bool = False, ragged: bool = False,
                 record_history: bool = True, name: str | None = None, **kwargs: Any) -> None:
        if sparse or ragged:
            raise ValueError("sparse and ragged tensors are not supported")
        if kwargs:
            raise TypeError(f"KerasTensor: unexpected arguments {sorted(kwargs)}")
        self._shape = standardize_shape(shape)
        self._dtype = standardize_dtype(dtype)
        self._name = name
        self.record_history = record_history

    @property
    def shape(self) -> Shape:
        return self._shape

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def name(self) -> str:
        if self._name is None:
            self._name = auto_name(type(self).__name__)
        return self._name

    @name.setter
    def name(self, value: str) -> None:
        self._name = value

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def sparse(self) -> bool:
        return False

    @property
    def ragged(self) -> bool:
        return False

    @property
    def T(self) -> Any:
        return ops().transpose(self)

    def get_shape(self) -> Shape:
        return self.shape

    def reshape(self, newshape: Any) -> Any:
        return ops().reshape(self, newshape)

    def squeeze(self, axis: int | None = None) -> Any:
        return ops().squeeze(self, axis)

    def astype(self, dtype: Any) -> Any:
        return ops().cast(self, dtype)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} shape={tuple(self.shape)}, dtype={self.dtype}, sparse=False, ragged=False, name={self.name}>"

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError(self._refusal("len() of a scalar"))
        if self.shape[0] is None:
            raise TypeError(self._refusal("its length is not known before the data is; use ops.shape(x)[0]"))
        size: int = self.shape[0]
        return size

    def __iter__(self) -> Iterator[Any]:
        if not self.shape or self.shape[0] is None:
            raise TypeError(self._refusal("iterating over it needs a first dimension of known size"))
        return (self[i] for i in range(self.shape[0]))

    def _refusal(self, why: str) -> str:
        where = user_source()
        return f"{where + ': ' if where else ''}{self!r} is symbolic and has no value here: {why}"

    def _refuse(self, why: str) -> NoReturn:
        raise TypeError(self._refusal(why))

    def __bool__(self) -> bool:
        self._refuse("a Python `if`, `while`, `and`, `or` or `not` cannot depend on it. "
                     "Use ops.where(condition, a, b) (or ops.logical_and / logical_or / logical_not) instead")

    def __int__(self) -> int:
        self._refuse("it cannot be converted to int")

    def __float__(self) -> float:
        self._refuse("it cannot be converted to float")

    def __index__(self) -> int:
        self._refuse("it cannot serve as an index or a size in Python; use ops.take, or ops.shape(x) for sizes")

    def numpy(self) -> Any:
        self._refuse("numpy() works on eager tensors only. Use kcompile.ops on it")

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        self._refuse("it cannot be converted to a numpy array. Use kcompile.ops in place of numpy functions")


class TracedTensor(KerasTensor):
    """A tensor of the graph under construction: `.value` is the ir Value, whose shape may hold the symbol B."""

    def __init__(self, value: Value, name: str | None = None) -> None:
        self.value = value
        self._shape = Shape(none_shape(value.shape))
        self._dtype = standardize_dtype(value.dtype)
        self._name = name
        self.record_history = False


class Tensor(TensorOperators):
    """An eager tensor: an immutable numpy array with Keras's operators.

    `numpy()` gives a copy; `_array` is the (read-only) array itself, for use inside kcompile.
    """

    __slots__ = ("__dict__", "__weakref__", "_array", "_dtype")

    def __init__(self, array: npt.NDArray[Any], dtype: DType | None = None) -> None:
        if array.flags.writeable:
            array = array.view()
            array.flags.writeable = False
        self._array = array
        self._dtype = dtype if dtype is not None else standardize_dtype(array.dtype)

    @property
    def shape(self) -> Shape:
        return Shape(self._array.shape)

    @property
    def dtype(self) -> DType:
        return self._dtype

    @property
    def ndim(self) -> int:
        return self._array.ndim

    @property
    def size(self) -> int:
        return int(self._array.size)

    @property
    def T(self) -> Tensor:
        return Tensor(self._array.T, self._dtype)

    def get_shape(self) -> Shape:
        return self.shape

    def numpy(self) -> Any:
        """The values: a numpy array of the caller's own, or a numpy scalar."""
        return self._array.copy() if self._array.ndim else self._array[()]

    def tolist(self) -> Any:
        return self._array.tolist()

    def item(self) -> Any:
        return self._array.item()

    def astype(self, dtype: Any) -> Any:
        return ops().cast(self, dtype)

    def reshape(self, *newshape: Any) -> Any:
        return ops().reshape(self, newshape[0] if len(newshape) == 1 else newshape)

    def squeeze(self, axis: int | None = None) -> Any:
        return ops().squeeze(self, axis)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if copy is False:
            if dtype is not None and np.dtype(dtype) != self._array.dtype:
                raise ValueError(f"a copy is needed to convert {self.dtype} to {np.dtype(dtype)}")
            return self._array
        return np.array(self._array, dtype=dtype)

    def __getitem__(self, key: Any) -> Any:
        plain = _plain_key(key)
        if plain is None:  # a symbolic tensor among the indices
            return ops().get_item(self, key)
        return Tensor(np.asarray(self._array[plain[0]]), self._dtype)

    def __iter__(self) -> Iterator[Tensor]:
        if not self._array.ndim:
            raise TypeError("Cannot iterate over a scalar tensor.")
        return (Tensor(np.asarray(row), self._dtype) for row in self._array)

    def __len__(self) -> int:
        if not self._array.ndim:
            raise TypeError("Scalar tensor has no `len()`")
        return len(self._array)

    def _scalar(self, convert: Callable[[Any], Any]) -> Any:
        if self._array.size != 1:
            raise TypeError(f"only a tensor of one element can be converted to a Python {convert.__name__}, "
                            f"this one has shape {tuple(self.shape)}")
        return convert(self._array.reshape(())[()])

    def __bool__(self) -> bool:
        if self._array.size != 1:
            raise ValueError(f"the truth value of a tensor of shape {tuple(self.shape)} is ambiguous; use ops.any() or ops.all()")
        return bool(self._array.reshape(())[()])

    def __int__(self) -> int:
        value: int = self._scalar(int)
        return value

    def __float__(self) -> float:
        value: float = self._scalar(float)
        return value

    def __complex__(self) -> complex:
        value: complex = self._scalar(complex)
        return value

    def __index__(self) -> int:
        if not self.dtype.is_integer or self._array.ndim:
            raise TypeError(f"only an integer scalar can be an index, this tensor has dtype {self.dtype} and shape {tuple(self.shape)}")
        return int(self._array[()])

    def __format__(self, specification: str) -> str:
        return format(self._array[()], specification) if not self._array.ndim else format(str(self), specification)

    def __repr__(self) -> str:
        text = repr(self._array) if self._array.ndim else str(self._array[()])
        gap = "\n" if self._array.ndim else ""
        return f"<kcompile.Tensor: shape={tuple(self.shape)}, dtype={self.dtype}, numpy={gap}{text}>"

    def __str__(self) -> str:
        gap = "\n" if self._array.ndim else ""
        return f"kcompile.Tensor({gap}{self._array}{',' + gap if gap else ','} shape={tuple(self.shape)}, dtype={self.dtype})"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle, (np.array(self._array), str(self._dtype))

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        return self  # immutable


def _unpickle(array: npt.NDArray[Any], dtype: str) -> Tensor:
    return Tensor(array, standardize_dtype(dtype))


def _plain_key(key: Any) -> tuple[Any] | None:
    """An index with eager tensors turned into arrays (in a tuple of one); None if a part of it is symbolic."""
    parts = key if isinstance(key, tuple) else (key,)
    plain: list[Any] = []
    for part in parts:
        if isinstance(part, KerasTensor):
            return None
        plain.append(_plain_index(part))
    return (tuple(plain) if isinstance(key, tuple) else plain[0],)


def _plain_index(part: Any) -> Any:
    if isinstance(part, Tensor):
        return part._array
    if isinstance(part, slice):
        return slice(*(None if limit is None else limit.__index__() for limit in (part.start, part.stop, part.step)))
    return part.numpy() if hasattr(part, "numpy") else part


def is_tensor(x: Any) -> bool:
    """Whether it is one of the three kinds of tensor."""
    return isinstance(x, (Tensor, KerasTensor))


def is_keras_tensor(x: Any) -> bool:
    """Whether it is symbolic, part of a functional model."""
    return isinstance(x, KerasTensor)


def eager_tensor(value: Any, dtype: Any = None) -> Tensor:
    """A Tensor from numbers, nested sequences, arrays, or anything with `__array__`; the data is copied.

    Without a dtype Python floats become floatx, Python integers int32; arrays keep theirs.
    """
    if isinstance(value, Tensor):
        if dtype is None or value.dtype == standardize_dtype(dtype):
            return value
        return Tensor(cast_array(value._array, numpy_dtype(dtype)), standardize_dtype(dtype))
    if isinstance(value, KerasTensor):
        value._refuse("an eager value is needed here")
    array = as_array(value)
    if dtype is None:
        return Tensor(np.array(array), standardize_dtype(array.dtype))
    name = standardize_dtype(dtype)
    if name == "string":
        return Tensor(np.array(array, dtype=object), name)
    return Tensor(np.array(cast_array(array, numpy_dtype(name)), copy=array.dtype == numpy_dtype(name)), name)
