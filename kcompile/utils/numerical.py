"""Helpers on numpy arrays: one-hot labels, normalized vectors."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..conversion import as_array
from ..tensor import Tensor, eager_tensor


def to_categorical(x: Any, num_classes: int | None = None) -> Any:
    """One-hot rows of integer labels.

    x: integers of any shape (a last axis of size 1 is dropped); num_classes: default the largest label + 1. An array gives a
    float64 array, a tensor gives a float32 tensor. Raises ValueError for labels outside 0 ... num_classes - 1.
    """
    labels = np.asarray(as_array(x)).astype(np.int64)
    shape = labels.shape
    if len(shape) > 1 and shape[-1] == 1:
        shape = shape[:-1]
    flat = labels.reshape(-1)
    if num_classes is None:
        if not flat.size:
            raise ValueError("to_categorical: `num_classes` must be given when `x` is empty")
        num_classes = int(flat.max()) + 1
    if flat.size and (flat.min() < 0 or flat.max() >= num_classes):
        wrong = int(flat.min()) if flat.min() < 0 else int(flat.max())
        raise ValueError(f"to_categorical: label {wrong} is outside 0 ... {num_classes - 1}")
    rows = np.zeros((flat.size, num_classes))
    rows[np.arange(flat.size), flat] = 1
    rows = rows.reshape((*shape, num_classes))
    return eager_tensor(rows, "float32") if isinstance(x, Tensor) else rows


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """x divided by its norm of the given order along an axis; rows of zeros stay zeros."""
    array = as_array(x)
    if array.dtype.kind != "f":
        array = array.astype(np.float64)
    norm = np.atleast_1d(np.linalg.norm(array, order, axis, keepdims=True))
    norm[norm == 0] = 1
    result = array / norm
    return eager_tensor(result, str(result.dtype)) if isinstance(x, Tensor) else result
