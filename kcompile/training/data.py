"""What the user gives as x, y and sample_weight, as arrays with names: one param of the step for each array.

    x={"a": [N, 8], "b": [N, 4]}, y=[N]   ->   "x.a" [N, 8], "x.b" [N, 4], "y" [N]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .. import config, tree
from ..dtypes import standardize_dtype
from ..tensor import KerasTensor, Tensor
from ..variables import Variable
from .frames import frame_array, is_frame
from .lazy_rows import LazyRows, is_sliced, is_sparse, lazy_rows

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Leaf:
    """One array as a step sees it: [B, *shape] of a dtype, under the name of its param."""

    name: str
    shape: tuple[int, ...]
    dtype: str


@dataclass(frozen=True)
class DataSpec:
    """The structures of x, y and sample_weight with a Leaf in place of each array; None where there is nothing."""

    x: Any
    y: Any = None
    sample_weight: Any = None

    def leaves(self) -> list[Leaf]:
        return [leaf for leaf in tree.flatten((self.x, self.y, self.sample_weight)) if leaf is not None]

    def key(self) -> str:
        """Equal for data that one step serves."""
        return repr((self.x, self.y, self.sample_weight))


@dataclass(frozen=True)
class Batch:
    """Arrays by param name, all with `rows` rows, and what they stand for. Some may be LazyRows, until `take` makes them arrays."""

    spec: DataSpec
    arrays: Mapping[str, Any]
    rows: int

    @property
    def is_lazy(self) -> bool:
        return any(isinstance(array, LazyRows) for array in self.arrays.values())

    def take(self, rows: npt.NDArray[np.int64]) -> Batch:
        """The batch of some of the rows, all of them arrays."""
        arrays = {name: array.take(rows) if isinstance(array, LazyRows) else array[rows] for name, array in self.arrays.items()}
        return Batch(self.spec, arrays, len(rows))

    def dense(self) -> Batch:
        """The same with arrays in place of lazy rows."""
        return self.take(np.arange(self.rows)) if self.is_lazy else self


def is_array_like(value: Any) -> bool:
    """Arrays, eager tensors, data frames, sparse matrices, arrays on disk; and plain nested lists of numbers."""
    if isinstance(value, (np.ndarray, Tensor, Variable, LazyRows)) or is_sparse(value) or is_sliced(value):
        return True
    if hasattr(value, "__array__") and not isinstance(value, KerasTensor):
        return True
    return isinstance(value, (list, tuple)) and bool(value) and all(_is_number(item) or _is_row(item) for item in value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.generic))


def _is_row(value: Any) -> bool:
    """A nested list of numbers and nothing else."""
    return isinstance(value, (list, tuple)) and bool(value) and all(_is_number(leaf) for leaf in tree.flatten(value))


def is_arrays(value: Any) -> bool:
    """Whether it is an array or a structure of arrays (None among them), as opposed to something that yields batches."""
    if value is None or is_array_like(value):
        return True
    if isinstance(value, Mapping):
        return all(is_arrays(part) for part in value.values())
    return isinstance(value, (list, tuple)) and all(is_arrays(part) for part in value)


def as_batch(x: Any, y: Any = None, sample_weight: Any = None, what: str = "") -> Batch:
    """Arrays with names from the user's data. `what` says where it comes from, for errors.

    Raises ValueError or TypeError for empty data, different numbers of rows, scalars, strings and complex numbers.
    """
    arrays: dict[str, Array] = {}
    spec = DataSpec(_named(x, "x", arrays, what), _named(y, "y", arrays, what), _named(sample_weight, "sample_weight", arrays, what))
    if not any(name == "x" or name.startswith("x.") for name in arrays):
        raise ValueError(f"{what}`x` holds no data: {x!r}")
    sizes = {name: len(array) for name, array in arrays.items()}
    if len(set(sizes.values())) > 1:
        given = ", ".join(f"{name}: {size}" for name, size in sizes.items())
        raise ValueError(f"{what}Data cardinality is ambiguous. Make sure all arrays contain the same number of samples. Numbers of "
                         f"samples "
                         f"given: {given}")
    rows = next(iter(sizes.values()))
    if rows == 0:
        raise ValueError(f"{what}the data is empty: `x` has 0 samples (shape {next(iter(arrays.values())).shape})")
    return Batch(spec, arrays, rows)


def check_batch(shapes: Sequence[tuple[int, ...]], what: str = "the elements of the data set are no batches: ") -> None:
    """Raises ValueError for the parts of an element of a data set, a loader or a generator that cannot be a batch of samples."""
    if () in shapes or len({shape[0] for shape in shapes}) > 1:
        raise ValueError(f"{what}components of shapes {', '.join(map(str, shapes))} have no common "
                         "number of samples. Put the samples together with .batch(batch_size); a generator or a loader yields arrays "
                         "whose first axis is the samples")


def _named(structure: Any, title: str, arrays: dict[str, Array], what: str) -> Any:
    """The structure with Leafs; arrays are entered under their names."""
    if structure is None:
        return None
    if is_array_like(structure):
        return _leaf(structure, title, arrays, what)
    if isinstance(structure, Mapping):
        return {str(key): _named(part, f"{title}.{key}", arrays, what) for key, part in structure.items()}
    if isinstance(structure, (list, tuple)):
        parts = [_named(part, f"{title}.{position}", arrays, what) for position, part in enumerate(structure)]
        return tuple(parts) if isinstance(structure, tuple) else parts
    raise ValueError(f"{what}Unrecognized data type: {title} of type {type(structure).__name__}; expected arrays, tensors, or lists and "
                     f"dicts "
                     "of them")


def _leaf(value: Any, title: str, arrays: dict[str, Array], what: str) -> Leaf:
    array = to_rows(value, f"{what}`{title}`")
    name = title.replace("/", "_")
    arrays[name] = array
    return Leaf(name, tuple(array.shape[1:]), _param_dtype(array))


def to_rows(value: Any, title: str) -> Any:
    """As `to_array`, but LazyRows for what should not be one array in memory."""
    try:
        rows = lazy_rows(value)
    except ValueError as error:
        raise ValueError(f"{title} {error}") from None
    if rows is None:
        array = to_array(value, title)
        rows = lazy_rows(array)  # a view of a frame may be large and strided
        return array if rows is None else rows
    if rows.dtype.kind not in "fiub":
        raise TypeError(f"{title} has dtype {rows.dtype}; expected floats, integers or booleans")
    return rows


def to_array(value: Any, title: str) -> Array:
    """A numeric array of rank 1 or more, without a copy where possible. Raises ValueError or TypeError naming the argument."""
    if is_frame(value):
        value = frame_array(value, title)
    elif is_sparse(value):
        value = value.toarray()
    elif isinstance(value, LazyRows):
        value = value.take(np.arange(len(value)))
    if isinstance(value, Tensor):
        array: Array = value._array
    elif isinstance(value, Variable):
        array = value.numpy()  # the model that is to be trained on it may move its memory
    else:
        try:
            array = np.asarray(value.detach().cpu() if hasattr(value, "detach") and hasattr(value, "cpu") else value)
        except ValueError as error:
            raise ValueError(f"{title} cannot be made an array (rows of different lengths?): {error}") from None
    if array.dtype == object:
        try:
            if any(item is None or isinstance(item, (str, bytes)) for item in array.flat):  # float("1") would accept text
                raise ValueError("None and text are no numbers")
            array = array.astype(config.floatx())
        except (TypeError, ValueError):
            raise ValueError(f"{title} is an array of Python objects (ragged rows, or text?) and cannot be trained on; give it one shape "
                             f"and a numeric dtype") from None
    if array.dtype.kind not in "fiub" and array.dtype.name != "bfloat16":
        raise TypeError(f"{title} has dtype {array.dtype}; expected floats, integers or booleans. Turn strings and dates into numbers "
                        f"first")
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        array = array.astype(np.float64)
    if array.ndim == 0:
        raise ValueError(f"{title} is a scalar ({array}); expected an array whose first axis is the samples")
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def _param_dtype(array: Array) -> str:
    """Floats are cast to floatx as their rows are gathered; integers and booleans stay."""
    name = standardize_dtype(array.dtype)
    return config.floatx() if name.is_floating else str(name)


def split_rows(structure: Any, start: int, stop: int) -> Any:
    """Rows start ... stop - 1 of every array of a structure."""
    if structure is None:
        return None
    if is_array_like(structure):
        rows = to_rows(structure, "data")
        return rows.between(start, stop) if isinstance(rows, LazyRows) else rows[start:stop]
    if isinstance(structure, Mapping):
        return {key: split_rows(part, start, stop) for key, part in structure.items()}
    return type(structure)([split_rows(part, start, stop) for part in structure])


def train_validation_split(x: Any, y: Any, sample_weight: Any, share: float) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """((x, y, sample_weight) to train on, the same of the last `share` of the rows). Raises ValueError."""
    if not is_arrays(x):
        raise ValueError("`validation_split` is only supported for arrays and tensors; "
                         f"give `validation_data` instead. Received x of type {type(x).__name__}")
    if not 0 <= share < 1:
        raise ValueError(f"`validation_split` must be in 0 ... 1, exclusive. Received: validation_split={share}")
    rows = as_batch(x, y, sample_weight).rows
    first = int(np.floor(rows * (1.0 - share)))
    if first == 0 or first == rows:
        raise ValueError(f"Training data contains {rows} samples, which is not sufficient to split it into a validation and training "
                         f"set as specified by `validation_split={share}`. Either provide more data, or a different value for the "
                         "`validation_split` argument.")
    data = (x, y, sample_weight)
    train = tuple(split_rows(part, 0, first) for part in data)
    held = tuple(split_rows(part, first, rows) for part in data)
    return train, held


def weights_of_classes(y: Any, class_weight: Mapping[Any, float]) -> Array:
    """One weight a sample from the weight of its class; 1 for classes that are not named.

    y: integer labels [N] or [N, 1], or one-hot rows. Raises ValueError for several outputs or ranks above 2.
    """
    if not isinstance(class_weight, Mapping):
        raise TypeError("`class_weight` must be a dict from class numbers to weights, such as {0: 1.0, 1: 2.5}. "
                        f"Received: {class_weight!r}")
    if not is_array_like(y):
        raise ValueError("`class_weight` is only supported for Models with a single output.")
    labels = to_array(y, "`y`")
    if labels.ndim > 2:
        raise ValueError(f"`class_weight` not supported for 3+ dimensional targets. Received: y of shape {labels.shape}")
    if labels.ndim == 2:
        labels = labels.argmax(axis=1) if labels.shape[1] > 1 else labels[:, 0]
    labels = np.round(labels).astype(np.int64)
    weights = np.ones(len(labels), config.floatx() if config.floatx() != "bfloat16" else "float32")
    for label, weight in class_weight.items():
        weights[labels == int(label)] = weight
    return weights
