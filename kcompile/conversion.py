"""From Python's numbers and sequences to numpy arrays, with Keras's default types."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .dtypes import numpy_dtype


def cast_array(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    """A conversion without warnings about what does not fit (complex to real drops the imaginary part)."""
    if array.dtype == dtype:
        return array
    if array.dtype.kind == "c" and dtype.kind != "c":
        array = array.real
    with np.errstate(all="ignore"):
        return array.astype(dtype)


def as_array(value: Any) -> npt.NDArray[Any]:
    """A numpy array with Keras's default types for Python numbers; arrays are not copied. Raises ValueError."""
    if isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.generic):
        return np.asarray(value)
    if hasattr(value, "_array"):  # an eager tensor
        array: npt.NDArray[Any] = value._array
        return array
    if isinstance(value, bool):
        return np.asarray(value)
    if isinstance(value, int):
        return np.asarray(value, np.int32 if -2**31 <= value < 2**31 else np.int64)
    if isinstance(value, float):
        return np.asarray(value, numpy_dtype(None))
    if hasattr(value, "__array__"):
        return np.asarray(value)
    if isinstance(value, (list, tuple, range)):
        return _array_of_sequence(value)
    array = np.asarray(value)
    if array.dtype == object:
        raise ValueError(f"cannot convert {type(value).__name__} to a tensor: {value!r}")
    return array


def _array_of_sequence(value: Sequence[Any]) -> npt.NDArray[Any]:
    try:
        if any(isinstance(item, (list, tuple)) or hasattr(item, "__array__") for item in value):
            parts = [as_array(item) for item in value]
            kinds = {part.dtype for part in parts if part.size}
            array = np.stack(parts) if len(kinds) <= 1 else np.asarray([part.tolist() for part in parts], np.result_type(*kinds))
            if kinds and array.dtype.kind in "iufb" and len(kinds) == 1:
                array = array.astype(kinds.pop(), copy=False)
            return array
        array = np.asarray(value)
    except ValueError:
        raise ValueError("cannot convert a ragged nested sequence to a tensor: its rows have different shapes") from None
    if array.dtype == np.float64 or (array.size == 0 and array.dtype.kind == "f"):
        return array.astype(numpy_dtype(None))
    if array.dtype == np.int64 and (array.size == 0 or (array.min() >= -2**31 and array.max() < 2**31)):
        return array.astype(np.int32)
    if array.dtype == object:
        raise ValueError(f"cannot convert to a tensor: {value!r}")
    return array
