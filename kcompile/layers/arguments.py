"""Owns the conversion of what a layer is called with: arrays become tensors, floats take the compute dtype, masks stay on."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import ops
from ..dtypes import is_float_dtype
from ..tensor import Tensor, TracedTensor, eager_tensor
from ..variables import Variable


def convert_argument(value: Any, autocast: bool, dtype: str) -> Any:
    """A tensor of the compute dtype for a float tensor or array; integer and bool ones keep theirs; other values stay as they are."""
    if not isinstance(value, (TracedTensor, Tensor, Variable)):
        if not hasattr(value, "__array__") or isinstance(value, (bool, int, float, str)):
            return value
        array = np.asarray(value)
        cast = autocast and array.dtype.kind not in "OUSc" and is_float_dtype(array.dtype)
        return eager_tensor(array, dtype if cast else None)
    if not autocast or value.dtype == dtype or not is_float_dtype(value.dtype):
        return value
    mask = getattr(value, "_keras_mask", None)
    converted = ops.cast(value, dtype)
    if mask is not None:
        converted._keras_mask = mask
    return converted
