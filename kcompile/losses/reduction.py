"""From one loss value a sample to one number: ranks matched, masks and sample weights applied, then reduced.

    [batch, ...] values, [batch, ...] weights and masks  ->  a scalar, or the weighted values for reduction "none"
"""

from __future__ import annotations

from typing import Any

from .. import ops
from ..tensor import KerasTensor, Tensor

REDUCTIONS = ("sum_over_batch_size", "sum", "mean", "mean_with_sample_weight", "none", None)


def standardize_reduction(reduction: str | None) -> str | None:
    """The reduction itself. Raises ValueError for one that does not exist."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"Invalid value for argument `reduction`. Expected one of {list(REDUCTIONS)}. Received: reduction={reduction}")
    return reduction


def as_tensor(value: Any, dtype: Any = None) -> Any:
    """A tensor of the given dtype; a mask or logits that a tensor carries survive when nothing is converted."""
    if hasattr(value, "assign_add"):
        value = value.value
    if not isinstance(value, (Tensor, KerasTensor)):
        return ops.convert_to_tensor(value, dtype=dtype)
    if dtype is None or value.dtype == dtype:
        return value
    result = ops.cast(value, dtype)
    mask = mask_of(value)
    if mask is not None:
        result._keras_mask = mask
    return result


def mask_of(tensor: Any) -> Any:
    """The mask that a tensor carries, or None."""
    return getattr(tensor, "_keras_mask", None)


def same_rank(x1: Any, x2: Any) -> tuple[Any, Any]:
    """Two tensors whose ranks differ by a last axis of size 1, brought to one rank; others as they are.

    A tensor of rank 1 is given the axis; of higher ranks the axis is taken away.
    """
    difference = len(x1.shape) - len(x2.shape)
    if difference == 1 and x1.shape[-1] == 1:
        return (x1, ops.expand_dims(x2, -1)) if len(x2.shape) == 1 else (ops.squeeze(x1, -1), x2)
    if difference == -1 and x2.shape[-1] == 1:
        return (ops.expand_dims(x1, -1), x2) if len(x1.shape) == 1 else (x1, ops.squeeze(x2, -1))
    return x1, x2


def apply_mask(sample_weight: Any, mask: Any, dtype: Any, reduction: str | None) -> Any:
    """The weights with masked entries at zero.

    For a mean over all entries, the others are scaled up, so that it becomes a mean over the entries that count.
    """
    if mask is None:
        return sample_weight
    mask = ops.cast(mask, dtype)
    if reduction in ("mean", "sum_over_batch_size"):
        mask = mask * ops.divide_no_nan(_count(mask, dtype), ops.sum(mask))
    if sample_weight is None:
        return mask
    mask, sample_weight = same_rank(mask, ops.cast(sample_weight, dtype))
    return sample_weight * mask


def reduce_weighted(values: Any, sample_weight: Any = None, mask: Any = None, reduction: str | None = "sum_over_batch_size",
                    dtype: Any = None) -> Any:
    """Weighted and reduced loss values. Raises ValueError for weights whose shape does not go with the values."""
    values = as_tensor(values, dtype)
    dtype = values.dtype
    if sample_weight is not None:
        sample_weight = as_tensor(sample_weight, dtype)
    sample_weight = apply_mask(sample_weight, mask, dtype, reduction)
    if sample_weight is not None:
        values, sample_weight = same_rank(values, sample_weight)
        if len(values.shape):  # a loss that is one number for the whole batch is weighed once by every weight, as in Keras
            check_weights(sample_weight, values)
        values = values * sample_weight
    if reduction in (None, "none") or not len(values.shape):
        return values
    total = ops.sum(values)
    if reduction == "sum":
        return total
    if reduction == "mean_with_sample_weight" and sample_weight is not None:
        return ops.divide_no_nan(total, ops.sum(sample_weight))
    return ops.divide(total, _count(values, dtype))


def check_weights(sample_weight: Any, values: Any) -> None:
    """Raises ValueError unless the weights broadcast to the values without changing their shape."""
    weights, wanted = tuple(sample_weight.shape), tuple(values.shape)
    fits = len(weights) <= len(wanted) and all(w == v or w == 1 or w is None
                                               for w, v in zip(weights[::-1], wanted[::-1], strict=False))
    if len(weights) == 1 and len(wanted) > 1 and weights[0] != 1 and (weights[0] is None or weights[0] == wanted[0]):
        fits = weights[0] is not None and weights[0] == wanted[-1] and wanted[0] != wanted[-1]
    if not fits:
        hint = ""
        if len(weights) == 1 and len(wanted) > 1:
            axes = ", None" * (len(wanted) - 1)
            hint = f" For one weight a sample, give it a shape that broadcasts: sample_weight[:{axes}]."
        raise ValueError(f"`sample_weight` has shape {weights}, but the loss values it weighs have shape {wanted}.{hint}")


def _count(values: Any, dtype: Any) -> Any:
    """The number of elements, as a scalar of a dtype; sizes that are not known while tracing stay symbolic."""
    total: Any = 1
    for size in ops.shape(values):
        total = total * size
    return ops.cast(total, dtype)
