"""Element types as the user sees them: `DType`, a str, and Keras 3's promotion rules with weak Python scalars.

    >>> result_type("int64", "float32"), result_type("bool", int), result_type("float16", "bfloat16")
    ('float32', 'int32', 'float32')

Names are numpy's long ones ("float32"); "string" and the complex types exist for eager tensors only.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from . import config
from .ir import types as ir_types

FLOAT_NAMES = ("bfloat16", "float16", "float32", "float64")
SIGNED_NAMES = ("int8", "int16", "int32", "int64")
UNSIGNED_NAMES = ("uint8", "uint16", "uint32", "uint64")
COMPLEX_NAMES = ("complex64", "complex128")
EAGER_ONLY_NAMES = (*COMPLEX_NAMES, "string")
ALL_NAMES = ("bool", *FLOAT_NAMES, *SIGNED_NAMES, *UNSIGNED_NAMES, *EAGER_ONLY_NAMES)


class DType(str):
    """The name of an element type, such as DType("float32"). Equal to the str, the numpy dtype and `tf.float32` alike."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            return str.__eq__(self, other)
        if other is None:
            return False
        try:
            return str.__eq__(self, standardize_dtype(other))
        except (TypeError, ValueError):
            return False

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = str.__hash__

    @property
    def name(self) -> str:
        return str(self)

    @property
    def as_numpy_dtype(self) -> type:
        return numpy_dtype(self).type

    @property
    def is_floating(self) -> bool:
        return self in FLOAT_NAMES

    @property
    def is_integer(self) -> bool:
        return self in SIGNED_NAMES or self in UNSIGNED_NAMES

    @property
    def is_unsigned(self) -> bool:
        return self in UNSIGNED_NAMES

    @property
    def is_bool(self) -> bool:
        return str.__eq__(self, "bool")

    @property
    def is_complex(self) -> bool:
        return self in COMPLEX_NAMES

    @property
    def size(self) -> int:
        """Bytes an element."""
        return numpy_dtype(self).itemsize

    @property
    def min(self) -> Any:
        """The smallest finite value."""
        return _limits(self)[0]

    @property
    def max(self) -> Any:
        """The largest finite value."""
        return _limits(self)[1]


def _limits(name: str) -> tuple[Any, Any]:
    if name == "bool":
        return False, True
    if name in EAGER_ONLY_NAMES:
        raise TypeError(f"{name} has no smallest and no largest value")
    limits = _IR[name].limits
    return limits.min, limits.max


_INSTANCES = {name: DType(name) for name in ALL_NAMES}
_NUMPY = {name: np.dtype(name) for name in ALL_NAMES if name not in ("string", "bfloat16")}
_NUMPY["string"] = np.dtype(object)
_FROM_NUMPY = {dtype: _INSTANCES[name] for name, dtype in _NUMPY.items()}
_FROM_PYTHON = {bool: "bool", int: "int32", str: "string"}
_IR = {name: ir_types.dtype_of(name) for name in ALL_NAMES if name not in EAGER_ONLY_NAMES}
_FROM_IR = {dtype.name: _INSTANCES[name] for name, dtype in _IR.items()}


def standardize_dtype(dtype: Any) -> DType:
    """A DType from None (floatx), a name, a Python type, a numpy dtype, or anything with `.dtype` or `.name`.

    Raises ValueError for what is no element type.
    """
    if type(dtype) is DType:
        return dtype
    if dtype is None:
        return _INSTANCES[config.floatx()]
    if isinstance(dtype, np.dtype):
        found = _FROM_NUMPY.get(dtype) or (_INSTANCES["bfloat16"] if dtype.name == "bfloat16" else None)
        if found is None and dtype.kind in "US":
            found = _INSTANCES["string"]
        if found is None:
            raise ValueError(f"Invalid dtype: {dtype!r}")
        return found
    if isinstance(dtype, str):
        name = dtype.removeprefix("torch.").removeprefix("tf.")
        if name not in _INSTANCES:
            name = {"float": config.floatx(), "double": "float64", "half": "float16", "int": "int32", "str": "string"}.get(name, name)
        if name not in _INSTANCES:
            raise ValueError(f"Invalid dtype: {dtype!r}; expected one of {', '.join(ALL_NAMES)}")
        return _INSTANCES[name]
    if dtype is float:
        return _INSTANCES[config.floatx()]
    if isinstance(dtype, type) and dtype in _FROM_PYTHON:
        return _INSTANCES[_FROM_PYTHON[dtype]]
    if isinstance(dtype, ir_types.DType):
        return _FROM_IR[dtype.name]
    try:
        return standardize_dtype(np.dtype(dtype))
    except TypeError:
        named = getattr(dtype, "name", None)
        if isinstance(named, str) and named in _INSTANCES:
            return _INSTANCES[named]
        raise ValueError(f"Invalid dtype: {dtype!r}") from None


def numpy_dtype(dtype: Any) -> np.dtype[Any]:
    """The numpy dtype of an element type ("string" is stored as object)."""
    name = standardize_dtype(dtype)
    return ir_types.bf16.numpy if name == "bfloat16" else _NUMPY[name]


def ir_dtype(dtype: Any) -> ir_types.DType:
    """The compiler's element type. Raises TypeError for complex and string, which exist in eager tensors only."""
    name = standardize_dtype(dtype)
    if name in EAGER_ONLY_NAMES:
        raise TypeError(f"{name} tensors exist in eager mode only: they can be made, indexed and printed, but not compiled")
    return _IR[name]


def is_float_dtype(dtype: Any) -> bool:
    """Whether it is float16, bfloat16, float32 or float64. Raises ValueError for what is no dtype."""
    return standardize_dtype(dtype) in FLOAT_NAMES


def is_int_dtype(dtype: Any) -> bool:
    """Whether it is a signed or unsigned integer; bool is none. Raises ValueError for what is no dtype."""
    return standardize_dtype(dtype).is_integer


# The promotion lattice: an arrow leads to the next wider types. "int" and "float" are the weak types of Python scalars.
_ARROWS: dict[str, tuple[str, ...]] = {
    "bool": ("int",),
    "int": ("uint8", "int8"),
    "uint8": ("int16", "uint16"), "uint16": ("int32", "uint32"), "uint32": ("int64", "uint64"), "uint64": ("float",),
    "int8": ("int16",), "int16": ("int32",), "int32": ("int64",), "int64": ("float",),
    "float": ("bfloat16", "float16"),
    "bfloat16": ("float32",), "float16": ("float32",), "float32": ("float64",), "float64": ("complex64",),
    "complex64": ("complex128",), "complex128": (),
}


def _above(name: str) -> frozenset[str]:
    found = {name}
    for wider in _ARROWS[name]:
        found |= _above(wider)
    return frozenset(found)


_UPPER = {name: _above(name) for name in _ARROWS}
_WEAK = {bool: "bool", int: "int", float: "float"}


def result_type(*dtypes: Any) -> DType:
    """The type that operands of these types are computed in. Python `bool`, `int` and `float` count as weak scalars.

    No operand, or None, stands for floatx. Raises ValueError where there is no common type (string).
    """
    names = []
    for dtype in dtypes:
        if isinstance(dtype, type) and dtype in _WEAK:
            names.append(_WEAK[dtype])
        else:
            names.append(str(standardize_dtype(dtype)))
    return _INSTANCES[_join(tuple(names), config.floatx())]


@lru_cache(maxsize=4096)
def _join(names: tuple[str, ...], floatx: str) -> str:
    if not names:
        return floatx
    if "string" in names:
        if set(names) == {"string"}:
            return "string"
        raise ValueError(f"no common dtype for {', '.join(names)}")
    common = frozenset.intersection(*(_UPPER[name] for name in names))
    # A complex64 above float64 would lose digits: join them in complex128, as numpy does.
    if "float64" in names and any(name in COMPLEX_NAMES for name in names):
        return "complex128"
    (least,) = (name for name in common if common <= _UPPER[name])
    return {"int": "int32", "float": floatx}.get(least, least)
