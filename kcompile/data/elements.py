"""Elements of a data set: tuples, dicts and namedtuples of arrays; inside, a flat tuple of their leaves.

A list is not a structure but the values of one tensor, as in TensorFlow. Text is stored as bytes in object arrays.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import tree
from ..dtypes import numpy_dtype, standardize_dtype
from ..tensor import KerasTensor, Tensor
from ..variables import Variable
from .spec import TensorSpec

Array = npt.NDArray[Any]
Element = tuple[Any, ...]  # the leaves of one element: arrays (a scalar is one of rank 0), or inner data sets


def is_dataset(value: Any) -> bool:
    """Whether it is a data set of kcompile.data."""
    from .dataset import Dataset

    return isinstance(value, Dataset)


def is_structure(value: Any) -> bool:
    """Tuples and mappings have components; a list is one tensor."""
    return isinstance(value, (tuple, Mapping))


def normalized(value: Any, what: str) -> Any:
    """The structure with an array in place of every leaf (data sets stay). `what` names it in errors."""
    if isinstance(value, Mapping):
        return type(value)({key: normalized(part, f"{what}[{key!r}]") for key, part in value.items()})  # type: ignore[call-arg]
    if isinstance(value, tuple):
        parts = [normalized(part, f"{what}[{position}]") for position, part in enumerate(value)]
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return component(value, what)


def component(value: Any, what: str) -> Any:
    """One leaf as an array. Python floats become float32, integers int32 (int64 where they need it), text bytes; arrays stay.

    Raises TypeError or ValueError for what cannot be a tensor.
    """
    if isinstance(value, Tensor):
        return _with_bytes(value._array)
    if isinstance(value, Variable):
        return value.numpy()
    if isinstance(value, np.ndarray):
        return _checked(value, what)
    if is_dataset(value):
        return value
    if isinstance(value, KerasTensor):
        raise TypeError(f"{what} is a symbolic tensor; a data set holds values")
    if value is None:
        raise TypeError(f"{what} is None; every component of an element is a tensor")
    if isinstance(value, (str, bytes)):
        return _scalar_text(value)
    if isinstance(value, float):
        return np.asarray(value, np.float32)
    if isinstance(value, int) and not isinstance(value, bool):
        return np.asarray(value, np.int32 if -2**31 <= value < 2**31 else np.int64)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        raise TypeError(f"{what} is a sparse matrix; a data set holds dense arrays: give .toarray(), or pass the matrix to fit() itself, "
                        "which densifies it by batch")
    try:
        array = _of_list(value) if isinstance(value, (list, range)) else np.asarray(value)
    except ValueError:
        raise ValueError(f"{what} cannot be made one array: its rows have different lengths") from None
    return _checked(array, what)


def _of_list(value: Any) -> Array:
    if any(isinstance(item, Tensor) for item in value):
        value = [item._array if isinstance(item, Tensor) else item for item in value]
    array = np.asarray(value)
    if any(hasattr(item, "dtype") for item in value):
        return array
    if array.dtype == np.float64:
        return array.astype(np.float32)
    if array.dtype == np.int64 and (not array.size or (array.min() >= -2**31 and array.max() < 2**31)):
        return array.astype(np.int32)
    return array


def _checked(array: Array, what: str) -> Array:
    if array.dtype.kind in "OUS":
        return _with_bytes(array, what)
    try:
        standardize_dtype(array.dtype)
    except ValueError:
        raise TypeError(f"{what} has dtype {array.dtype}, which no tensor can have; expected numbers, booleans or text") from None
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _scalar_text(value: str | bytes) -> Array:
    array = np.empty((), object)
    array[()] = value.encode() if isinstance(value, str) else value
    return array


def _with_bytes(array: Array, what: str = "the data") -> Array:
    """Text as bytes in an object array."""
    if array.dtype.kind not in "OUS":
        return array
    if array.dtype.kind == "O" and all(type(item) is bytes for item in array.flat):
        return array
    result = np.empty(array.shape, object)
    flat = result.reshape(-1)
    for position, item in enumerate(array.flat):
        if not isinstance(item, (str, bytes)):
            raise TypeError(f"{what} is an array of Python objects; item {position} is of type {type(item).__name__}. A tensor holds "
                            "numbers of one dtype, or text")
        flat[position] = item.encode() if isinstance(item, str) else bytes(item)
    return result


def spec_of(leaf: Any) -> Any:
    """The exact spec of one component."""
    if is_dataset(leaf):
        from .spec import DatasetSpec

        return DatasetSpec(leaf.element_spec)
    return TensorSpec(leaf.shape, leaf.dtype)


def tensors(element: Element) -> list[Any]:
    """The leaves as the user sees them: eager tensors."""
    return [Tensor(leaf) if isinstance(leaf, np.ndarray) else leaf for leaf in element]


def pack(template: Any, leaves: Sequence[Any]) -> Any:
    """Leaves in the structure of the template."""
    if not is_structure(template):
        return leaves[0]
    if type(template) is tuple and len(template) == len(leaves) and not any(is_structure(part) for part in template):
        return tuple(leaves)
    return tree.pack_sequence_as(template, leaves)


def flat(structure: Any) -> Element:
    """The leaves of a structure without lists, in order."""
    return tuple(tree.flatten(structure)) if is_structure(structure) else (structure,)


def conformed(value: Any, spec: Any, what: str) -> Any:
    """A leaf that must match a spec: an array of the spec's dtype. Raises TypeError or ValueError."""
    if not isinstance(spec, TensorSpec):
        if not is_dataset(value):
            raise TypeError(f"{what}: expected a data set, received {type(value).__name__}")
        return value
    array = component(value, what)
    if spec.dtype != standardize_dtype(array.dtype):
        wanted = numpy_dtype(spec.dtype)
        if wanted.kind == "O" or array.dtype.kind == "O" or not (isinstance(value, (int, float, list)) or np.can_cast(
                array.dtype, wanted, "same_kind") or array.dtype.kind in "iu"):
            raise TypeError(f"{what}: expected values of dtype {spec.dtype}, received {standardize_dtype(array.dtype)}: {value!r:.80}")
        array = array.astype(wanted)
    if spec.shape is not None and not spec.is_compatible_with(array):
        raise ValueError(f"{what}: expected shape {tuple(spec.shape)}, received {array.shape}")
    return array


def stacked(leaves: Sequence[Any], what: str) -> Array:
    """One array of equal-shaped leaves. Raises ValueError that names the first that differs."""
    first = leaves[0]
    if not isinstance(first, np.ndarray):
        raise TypeError(f"{what}: elements that are data sets cannot be batched; use flat_map(lambda window: window.batch(...))")
    shape, dtype = first.shape, first.dtype
    result = np.empty((len(leaves), *shape), dtype)
    for number, leaf in enumerate(leaves):
        if leaf.shape != shape:
            raise ValueError(f"{what}: cannot batch tensors with different shapes: element 0 has {shape}, element {number} "
                             f"{leaf.shape}. Use padded_batch, or bring them to one shape in a map")
        if leaf.dtype != dtype:
            raise TypeError(f"{what}: cannot batch tensors of different dtypes: element 0 has {dtype}, element {number} {leaf.dtype}")
        result[number] = leaf
    return result
