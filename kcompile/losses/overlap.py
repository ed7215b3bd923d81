"""Losses of masks: how little two regions have in common."""

from __future__ import annotations

from typing import Any

from .. import config, ops
from .functions import _pair
from .loss import LossFunctionWrapper


def dice(y_true: Any, y_pred: Any, axis: Any = None) -> Any:
    """1 - 2 sum(y_true * y_pred) / (sum(y_true) + sum(y_pred)), the sums along `axis` (None: one number for the whole batch)."""
    y_true, y_pred = _pair(y_true, y_pred)
    common = ops.sum(y_true * y_pred, axis=axis)
    return 1.0 - 2.0 * common / (ops.sum(y_true, axis=axis) + ops.sum(y_pred, axis=axis) + config.epsilon())


def tversky(y_true: Any, y_pred: Any, alpha: float = 0.5, beta: float = 0.5, axis: Any = None) -> Any:
    """1 - common / (common + alpha * what y_pred misses + beta * what it has too much); alpha = beta = 0.5 is `dice`."""
    y_true, y_pred = _pair(y_true, y_pred)
    common = ops.sum(y_true * y_pred, axis=axis)
    missed = ops.sum((1.0 - y_pred) * y_true, axis=axis)
    too_much = ops.sum(y_pred * (1.0 - y_true), axis=axis)
    return 1.0 - common / (common + missed * alpha + too_much * beta + config.epsilon())


class Dice(LossFunctionWrapper):
    """1 - the Dice coefficient of labels and predictions in 0 ... 1."""

    def __init__(self, reduction: str | None = "sum_over_batch_size", name: str | None = "dice", axis: Any = None,
                 dtype: Any = None) -> None:
        super().__init__(dice, name=name, reduction=reduction, dtype=dtype, axis=axis)
        self.axis = axis


class Tversky(LossFunctionWrapper):
    """1 - the Tversky index of labels and predictions in 0 ... 1: `alpha` weighs what is missed, `beta` what is too much."""

    def __init__(self, alpha: float = 0.5, beta: float = 0.5, reduction: str | None = "sum_over_batch_size",
                 name: str | None = "tversky", axis: Any = None, dtype: Any = None) -> None:
        super().__init__(tversky, name=name, reduction=reduction, dtype=dtype, alpha=alpha, beta=beta, axis=axis)
        self.alpha, self.beta, self.axis = alpha, beta, axis
