"""split_dataset: a data set that fits in memory, cut in two."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from .. import tree
from ..conversion import as_array
from ..tensor import Tensor
from ..variables import Variable

BACKENDS = (None, "tensorflow", "jax")


def split_dataset(dataset: Any, left_size: float | None = None, right_size: float | None = None, shuffle: bool = False,
                  seed: int | None = None, preferred_backend: str | None = None) -> tuple[Any, Any]:
    """(left, right): two `data.Dataset`s of the samples of one, which is read into memory as a whole.

    dataset: a data set of kcompile, TensorFlow or torch, an array (its rows), or a list or tuple of arrays of one length. left_size,
    right_size: a whole number of samples, or a share between 0 and 1; one of them may be left out. shuffle: before the cut, by `seed`. A
    data set that ends in `batch` is taken apart, and batched again. Raises TypeError and ValueError that name the argument.
    """
    if preferred_backend not in BACKENDS:
        raise ValueError(f"`preferred_backend` must be None, 'tensorflow' or 'jax': split_dataset() gives data sets of kcompile; received "
                         f"preferred_backend={preferred_backend!r}")
    if left_size is None and right_size is None:
        raise ValueError("at least one of `left_size` and `right_size` must be given")
    columns, batch_size = _columns(dataset)
    count = len(tree.flatten(columns)[0])
    left, right = _sizes(left_size, right_size, count)
    order = list(range(count))
    if shuffle:
        random.Random(random.randint(0, 1_000_000) if seed is None else seed).shuffle(order)
    return _part(columns, order[:left], batch_size), _part(columns, order[-right:], batch_size)


def _part(columns: Any, rows: list[int], batch_size: int | None) -> Any:
    from ..data import AUTOTUNE, Dataset

    part = Dataset.from_tensor_slices(tree.map_structure(lambda column: column[rows], columns))
    return (part if batch_size is None else part.batch(batch_size)).prefetch(AUTOTUNE)


def _columns(dataset: Any) -> tuple[Any, int | None]:
    """(the samples stacked, in the structure of one; the size of the batches)."""
    if isinstance(dataset, (list, tuple)):
        return _of_arrays(dataset), None
    if isinstance(dataset, (np.ndarray, Tensor, Variable)):
        array = as_array(dataset)
        if not array.ndim or not len(array):
            raise ValueError(f"`dataset` must have rows, received an array of shape {array.shape}")
        return array, None
    samples, batch_size = _samples(dataset)
    if not samples:
        raise ValueError("`dataset` is empty")
    first = samples[0]
    flat = [tree.flatten(sample) for sample in samples]
    columns = []
    for leaves in zip(*flat, strict=True):
        shapes = {np.shape(leaf) for leaf in leaves}
        if len(shapes) > 1:
            raise ValueError(f"the samples of `dataset` have different shapes: {', '.join(map(str, sorted(shapes)))}. Batches of different "
                             "sizes? Take them apart first, with dataset.unbatch()")
        columns.append(np.array(leaves))
    packed = tree.pack_sequence_as(first, columns)
    return (tuple(packed) if isinstance(packed, list) else packed), batch_size


def _of_arrays(arrays: Any) -> Any:
    if not arrays:
        raise ValueError("`dataset` is an empty list; expected arrays of one length")
    made = []
    for number, value in enumerate(arrays):
        if not isinstance(value, (np.ndarray, Tensor, Variable)):
            raise TypeError(f"`dataset` must be a list or tuple of arrays; item {number} is of type {type(value).__name__}")
        made.append(as_array(value))
        if not made[-1].ndim or len(made[-1]) != len(made[0]) or not len(made[0]):
            raise ValueError(f"the arrays of `dataset` must have one length of 1 or more: the first has shape {made[0].shape}, number "
                             f"{number} {made[-1].shape}")
    return tuple(made)


def _samples(dataset: Any) -> tuple[list[Any], int | None]:
    """All samples of a data set of kcompile, TensorFlow or torch, as numpy arrays."""
    if hasattr(dataset, "as_numpy_iterator"):
        batch_size = _batch_size(dataset)
        cardinality = int(np.asarray(dataset.cardinality())) if hasattr(dataset, "cardinality") else -2
        if cardinality == -1:
            raise ValueError("`dataset` is endless; give split_dataset() a part of it, as in dataset.take(1000)")
        return list((dataset if batch_size is None else dataset.unbatch()).as_numpy_iterator()), batch_size
    if hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__") and not isinstance(dataset, (str, bytes, dict)):
        return [tree.map_structure(np.asarray, dataset[number]) for number in range(len(dataset))], None
    raise TypeError("`dataset` must be a data set, an array, or a list or tuple of arrays; received "
                    f"{type(dataset).__name__}")


def _batch_size(dataset: Any) -> int | None:
    """The size of the batches of a data set that ends in `batch`; None for others."""
    from ..data.grouping import Batched

    size = dataset._size if isinstance(dataset, Batched) else getattr(dataset, "_batch_size", None)
    return None if size is None else int(np.asarray(size))


def _sizes(left: Any, right: Any, count: int) -> tuple[int, int]:
    """Numbers of samples, as Keras makes them of numbers and shares. Raises TypeError and ValueError."""
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            continue
        if isinstance(size, bool) or not isinstance(size, (int, float, np.number)):
            raise TypeError(f"`{name}` must be a whole number of samples or a share between 0 and 1, received {size!r}")
        whole = isinstance(size, (int, np.integer))
        if not 0 < size < (count if whole else 1):
            raise ValueError(f"`{name}` must be a whole number from 1 to {count - 1} (`dataset` has {count} samples), or a share between 0 "
                             f"and 1; received {name}={size!r}")
    found = [None if size is None else int(size) if isinstance(size, (int, np.integer)) else round(size * count) for size in (left, right)]
    if found[0] is None or found[1] is None:
        found = [count - found[1] if found[0] is None and found[1] is not None else found[0],  # the rest goes to the other side
                 count - found[0] if found[0] is not None and found[1] is None else found[1]]
    first, second = found
    assert first is not None and second is not None
    if first + second > count or (isinstance(left, float) and isinstance(right, float) and left + right > 1):
        raise ValueError(f"`left_size={left}` and `right_size={right}` are together more than the {count} samples of `dataset`")
    for name, size in (("left_size", first), ("right_size", second)):
        if size <= 0:
            raise ValueError(f"the split with left_size={left} and right_size={right} of {count} samples leaves none for `{name}`")
    return first, second
