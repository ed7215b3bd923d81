"""Variables: named arrays that live between steps, at a stable, 64-byte aligned address.

Inside a trace, reading a variable gives its traced value and `assign` records an update of the graph; outside, both act at
once on `.array`, which native code reads and writes directly.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import numpy as np
import numpy.typing as npt

from . import naming, tracing
from .codegen.changes import changed
from .codegen.runtime.pool import renew_after_fork
from .conversion import as_array, cast_array
from .dtypes import DType, is_float_dtype, numpy_dtype, standardize_dtype
from .ir.graph import ROLES
from .ir.program import LEARNED, suits_panels
from .ir.types import TensorType, f32
from .memory_order import MemoryOrder, held
from .operators import TensorOperators
from .tensor import KerasTensor, Shape, Tensor, standardize_shape

ALIGNMENT = 64
PAGE = 4096
APART = 25 * ALIGNMENT  # a golden section of a page: whichever arrays a kernel takes, they begin far from each other's places
LARGE = 16 * PAGE  # bytes from which arrays are placed so

_large = count()  # of this process: each of the large arrays takes the next place, and what is made in the same order lies alike


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """An uninitialised C-contiguous array whose first element lies on a 64-byte boundary."""
    return _aligned(np.empty, shape, dtype)


def aligned_zeros(shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """The same, of zeros; memory that nobody has touched yet costs nothing."""
    return _aligned(np.zeros, shape, dtype)


def _aligned(make: Callable[..., npt.NDArray[np.uint8]], shape: tuple[int, ...], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """Large arrays begin at different places of a page. A processor first compares the last twelve bits of addresses: where a weight and
    its slots agreed in them, as blocks that come from the system do, a load of one waited for the store of another."""
    size = math.prod(shape) * dtype.itemsize
    unit, place = (PAGE, next(_large) * APART) if size >= LARGE else (ALIGNMENT, 0)
    raw = make(size + unit, np.uint8)
    offset = (place - raw.ctypes.data) % unit
    placed: npt.NDArray[Any] = raw[offset:offset + size].view(dtype).reshape(shape)
    return placed


class _Budget(threading.local):
    def __init__(self) -> None:
        self.left: float | None = None


_budget = _Budget()


@contextmanager
def variable_budget(stored: int) -> Iterator[None]:
    """Inside, a model is made whose weights come from a file that holds `stored` bytes of them: they start as zeros, and a
    description that asks for much more than the file holds raises ValueError instead of taking the memory.
    """
    before = _budget.left
    _budget.left = 2.0 * stored + (1 << 24)
    try:
        yield
    finally:
        _budget.left = before


def _spend(shape: tuple[Any, ...], dtype: Any) -> None:
    size = float(np.dtype(dtype).itemsize)
    for extent in shape:
        size *= extent
    if size > (_budget.left or 0.0):
        raise ValueError(f"a weight of shape {tuple(shape)} is described, but the file does not hold that much")
    _budget.left = (_budget.left or 0.0) - size


class _Autocast(threading.local):
    def __init__(self) -> None:
        self.dtype: DType | None = None


_autocast = _Autocast()


@contextmanager
def autocast_scope(dtype: Any) -> Iterator[None]:
    """Inside, float variables made with autocast=True read as this dtype (a layer's compute dtype); None: as they are."""
    saved = _autocast.dtype
    _autocast.dtype = None if dtype is None or not is_float_dtype(dtype) else standardize_dtype(dtype)
    try:
        yield
    finally:
        _autocast.dtype = saved


def autocast_dtype(variable: Variable) -> DType | None:
    """The dtype in which a variable is read here, where that is not its own."""
    cast = _autocast.dtype
    return cast if cast is not None and variable._casts() and cast != variable._dtype else None


class Variable(TensorOperators):
    """A named array that operations read and assign.

    initializer  an initializer name, object or function (called with shape and dtype; `shape` is needed then), or a value
    role         what the compiler may assume of it, one of ir.graph.ROLES: weight, statistic, slot, metric, rng, ...
    path         the whole path; without it, the open name scopes and `name`
    """

    def __init__(self, initializer: Any, shape: Any = None, dtype: Any = None, trainable: bool = True, autocast: bool = True,
                 aggregation: str | None = "none", synchronization: str | None = "auto", name: str | None = None,
                 layout: Any = None, *, role: str = "weight", path: str | None = None, regularizer: Any = None,
                 constraint: Any = None, **kwargs: Any) -> None:
        if kwargs:
            raise TypeError(f"Variable: unexpected arguments {sorted(kwargs)}")
        if role not in ROLES:
            raise ValueError(f"role must be one of {', '.join(ROLES)}; received {role!r}")
        name = name or naming.auto_name(type(self).__name__)
        if "/" in name:
            raise ValueError(f"Argument `name` must be a string and cannot contain character `/`. Received: name={name}")
        self._name = name
        scope = naming.current_path()
        self.path = path or (f"{scope}/{name}" if scope else name)
        self.role = role
        self._trainable = bool(trainable)
        self.autocast = bool(autocast)
        self.aggregation = aggregation
        self.synchronization = synchronization
        self.overwrite_with_gradient = False
        self.regularizer = regularizer
        self.constraint = constraint
        with tracing.eager_scope():
            initial, self._dtype = _initial_value(initializer, shape, dtype, name)
        self._initial: _Later | None = initial if isinstance(initial, _Later) else None
        self._memory: npt.NDArray[Any] | None = None if isinstance(initial, _Later) else _own(initial)
        self._shape = tuple(initial.shape)
        self._order = MemoryOrder()
        self.moves = self._dtype == "float32" and suits_panels(TensorType(self._shape, f32))  # a step that trains may move its memory

    @property
    def array(self) -> npt.NDArray[Any]:
        """The memory that holds the value, row by row, always the same; a large weight gets its initial value when first asked for."""
        memory = self.make_value()
        if self._order.columns:
            self._order.settle(memory, 0)
        return memory

    def make_value(self) -> npt.NDArray[Any]:
        """The memory in whatever order it is; with its initial value where nobody has asked for it before."""
        if self._memory is None:
            with _INITIALISING.lock:
                if self._memory is None:
                    assert self._initial is not None
                    self._memory, self._initial = self._initial.value(), None
        return self._memory

    def in_panels(self, columns: int) -> None:
        """Bring the memory into the order in which a compiled step wants it (see memory_order.py)."""
        if self._order.columns != columns:
            self._order.settle(self.array if self._order.columns == 0 else self._memory, columns)

    # -- what it is -----------------------------------------------------------------------------------------
    @property
    def name(self) -> str:
        return self._name

    @property
    def shape(self) -> Shape:
        return Shape(self._shape)

    @property
    def ndim(self) -> int:
        return len(self._shape)

    @property
    def dtype(self) -> DType:
        cast = _autocast.dtype
        return cast if cast is not None and self._casts() else self._dtype

    @property
    def trainable(self) -> bool:
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        from .layers.tracking import Structure

        self._trainable = bool(value)
        Structure.version += 1

    def _casts(self) -> bool:
        return self.autocast and self._dtype.is_floating

    def get_shape(self) -> Shape:
        return self.shape

    def count_params(self) -> int:
        return math.prod(self._shape)

    # -- its value ------------------------------------------------------------------------------------------
    @property
    def value(self) -> Any:
        """The value now: a TracedTensor inside a trace, else an eager Tensor (a copy), in the autocast dtype if one is set."""
        cast = _autocast.dtype if self._casts() else None
        trace = tracing.current_trace()
        if trace is not None:
            found: Any = trace.read(self)
            if cast is None or cast == self._dtype:
                return found
            from . import ops

            return ops.cast(found, cast)
        with held((self,)):
            array = self.array if cast is None else cast_array(self.array, numpy_dtype(cast))
            return Tensor(array.copy() if array is self.array else array, cast or self._dtype)

    def read_value(self) -> Any:
        return self.value

    def numpy(self) -> npt.NDArray[Any]:
        """A copy of the value in the variable's own dtype."""
        with held((self,)):
            return self.array.copy()

    def assign(self, value: Any) -> Any:
        """Set the value: at once outside a trace, as an update of the graph inside. Raises ValueError for another shape."""
        trace = tracing.current_trace()
        if trace is not None:
            trace.assign(self, value)
            return value
        if isinstance(value, KerasTensor):
            raise TypeError(f"a symbolic tensor cannot be assigned to variable {self.path} outside a layer or a step")
        array = as_array(value.numpy() if isinstance(value, Variable) else value)
        if array.shape != self._shape:
            raise ValueError(
                "The shape of the target variable and the shape of the target value in `variable.assign(value)` must match. "
                f"variable.shape={tuple(self.shape)}, Received: value.shape={array.shape}. Target variable: {self!r}")
        with held((self,)):
            self.array[...] = cast_array(array, self.array.dtype)
            if self.role in LEARNED:
                changed()
        return value

    def assign_add(self, value: Any) -> Any:
        with held((self,)):
            return self.assign(self._stored() + value)

    def assign_sub(self, value: Any) -> Any:
        with held((self,)):
            return self.assign(self._stored() - value)

    def _stored(self) -> Any:
        with autocast_scope(None):
            return self.value

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> npt.NDArray[Any]:
        if tracing.current_trace() is not None:
            raise TypeError(f"variable {self.path} has no numpy value while a model is traced; use kcompile.ops on it")
        with held((self,)):
            return np.array(self.array, dtype=dtype)

    def __getitem__(self, key: Any) -> Any:
        return self.value[key]

    def __len__(self) -> int:
        if not self.array.ndim:
            raise TypeError(f"variable {self.path} is a scalar and has no len()")
        return len(self.array)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.value)

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __index__(self) -> int:
        return int(self.value.__index__())

    def __repr__(self) -> str:
        value = "" if tracing.current_trace() is not None else f", value={self.numpy()}"
        return f"<Variable path={self.path}, shape={tuple(self.shape)}, dtype={self._dtype}{value}>"

    def __deepcopy__(self, memo: dict[int, Any]) -> Variable:
        return Variable(self.numpy(), dtype=self._dtype, trainable=self._trainable, autocast=self.autocast, name=self._name,
                        role=self.role, path=self.path, regularizer=self.regularizer, constraint=self.constraint)


LATER = 1 << 14  # elements from which an initial value waits until it is asked for: who only looks at a model never makes it


class _Initialising:
    """The lock under which initial values are made. Whoever builds a layer (making.py), or holds memory in its order (memory_order.py),
    may take it, so nothing that takes another of these locks runs under it: pure initializers alone, no code of the user's."""

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """A thread of the parent may have held it: then the child makes that value itself."""
        self.lock = threading.RLock()


_INITIALISING = _Initialising()


@dataclass(frozen=True)
class _Later:
    """An initial value that depends on nothing but this."""

    function: Any
    shape: tuple[int, ...]
    dtype: DType

    def value(self) -> npt.NDArray[Any]:
        from .initializers import Zeros

        if isinstance(self.function, Zeros):
            return aligned_zeros(self.shape, numpy_dtype(self.dtype))
        with tracing.eager_scope():
            made = cast_array(as_array(self.function(self.shape, dtype=self.dtype)), numpy_dtype(self.dtype))
        alone = made.flags.c_contiguous and made.flags.writeable and made.ctypes.data % ALIGNMENT == 0
        return made if alone else _own(made)  # a pure initializer keeps nothing of what it made


def _own(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    copy = aligned_empty(array.shape, array.dtype)
    copy[...] = array
    return copy


def _initial_value(initializer: Any, shape: Any, dtype: Any, name: str) -> tuple[npt.NDArray[Any] | _Later, DType]:
    """(array, dtype) of a new variable; for a large one how its array will be made."""
    if isinstance(initializer, (str, dict)) or callable(initializer):
        from . import initializers

        if shape is None:
            raise ValueError("When creating a Variable from an initializer, the `shape` argument should be specified. "
                             f"Received: initializer={initializer} and shape=None")
        wanted = standardize_shape(shape)
        if None in wanted:
            raise ValueError(f"Shapes used to initialize variables must be fully-defined (no `None` dimensions). "
                             f"Received: shape={tuple(wanted)} for variable '{name}'")
        kind = standardize_dtype(dtype)
        if _budget.left is not None:
            _spend(wanted, numpy_dtype(kind))
            return np.zeros(tuple(wanted), numpy_dtype(kind)), kind
        function = initializers.get(initializer)
        if math.prod(wanted) >= LATER and initializers.is_pure(function, kind):
            return _Later(function, tuple(wanted), kind), kind
        array = as_array(function(tuple(wanted), dtype=kind))
        if array.shape != wanted:
            raise ValueError(f"the initializer of variable '{name}' gave shape {array.shape}, expected {tuple(wanted)}")
    else:
        if isinstance(initializer, Variable):
            initializer, dtype = initializer.numpy(), dtype or initializer._dtype
        if isinstance(initializer, KerasTensor):
            raise TypeError(f"variable '{name}' cannot start from a symbolic tensor")
        array = as_array(initializer)
        kind = standardize_dtype(dtype if dtype is not None else array.dtype)
        if shape is not None and tuple(shape) != array.shape:
            raise ValueError(f"variable '{name}': the value has shape {array.shape}, but shape={tuple(shape)} was given")
    if kind.is_complex or kind == "string":
        raise TypeError(f"variable '{name}': {kind} exists for eager tensors only")
    return cast_array(array, numpy_dtype(kind)), kind
