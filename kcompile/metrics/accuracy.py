"""How often predictions are right: functions that give 1 or 0 a sample, and the metrics that average them."""

from __future__ import annotations

from typing import Any

from .. import config, ops
from ..losses.reduction import as_tensor, same_rank
from .metric import Metric
from .reduction import MeanMetricWrapper


def accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where y_pred equals y_true; the shape of both."""
    y_pred = as_tensor(y_pred)
    y_true, y_pred = same_rank(as_tensor(y_true, y_pred.dtype), y_pred)
    return ops.cast(ops.equal(y_true, y_pred), config.floatx())


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Any:
    """1 where y_pred > threshold agrees with y_true (0 or 1); the shape of both."""
    y_true, y_pred = same_rank(as_tensor(y_true), as_tensor(y_pred))
    above = ops.cast(y_pred > ops.cast(threshold, y_pred.dtype), y_true.dtype)
    return ops.cast(ops.equal(y_true, above), config.floatx())


def categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is that of the one-hot label: [batch, ...] of [batch, ..., classes]."""
    return ops.cast(ops.equal(ops.argmax(as_tensor(y_true), axis=-1), ops.argmax(as_tensor(y_pred), axis=-1)), config.floatx())


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Any:
    """1 where the largest prediction is that of the integer label: [batch, ...] of labels [batch, ...] or [batch, ..., 1]."""
    y_pred = as_tensor(y_pred)
    y_true = _class_numbers(as_tensor(y_true), y_pred)
    return ops.cast(ops.equal(y_true, ops.cast(ops.argmax(y_pred, axis=-1), y_true.dtype)), config.floatx())


def _class_numbers(y_true: Any, y_pred: Any) -> Any:
    """The labels without a last axis of size 1, where they have one."""
    if len(y_true.shape) == len(y_pred.shape) and y_true.shape[-1] == 1:
        return ops.squeeze(y_true, -1)
    return y_true


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Any:
    """1 where the one-hot label is among the k largest predictions: [batch, ...] of [batch, ..., classes]."""
    return _in_top_k(ops.argmax(as_tensor(y_true), axis=-1), as_tensor(y_pred), k)


def sparse_top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5, from_sorted_ids: bool = False) -> Any:
    """1 where the integer label is among the k largest predictions.

    from_sorted_ids: y_pred holds class numbers, the likeliest first, instead of scores.
    """
    y_pred, given = as_tensor(y_pred), as_tensor(y_true)
    y_true = _class_numbers(given, y_pred)
    if from_sorted_ids:
        first = y_pred[..., :k]
        found = ops.any(ops.equal(ops.expand_dims(ops.cast(y_true, first.dtype), -1), first), axis=-1)
        hits = ops.cast(found, config.floatx())
    else:
        hits = _in_top_k(y_true, y_pred, k)
    return hits if y_true is given else ops.expand_dims(hits, -1)


def _in_top_k(labels: Any, scores: Any, k: int) -> Any:
    flat = ops.reshape(scores, (-1, scores.shape[-1])) if len(scores.shape) > 2 else scores
    hits = ops.in_top_k(ops.reshape(ops.cast(labels, "int32"), (-1,)) if len(labels.shape) > 1 else ops.cast(labels, "int32"), flat, k)
    if len(scores.shape) > 2:
        hits = ops.reshape(hits, ops.shape(labels))
    return ops.cast(hits, config.floatx())


class Accuracy(MeanMetricWrapper):
    """How often y_pred equals y_true."""

    _direction = "up"

    def __init__(self, name: str | None = "accuracy", dtype: Any = None) -> None:
        super().__init__(fn=accuracy, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return Metric.get_config(self)


class BinaryAccuracy(MeanMetricWrapper):
    """How often y_pred > threshold agrees with y_true."""

    _direction = "up"

    def __init__(self, name: str | None = "binary_accuracy", dtype: Any = None, threshold: float = 0.5) -> None:
        super().__init__(fn=binary_accuracy, name=name, dtype=dtype, threshold=threshold)
        self.threshold = threshold


class CategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is that of the one-hot label."""

    _direction = "up"

    def __init__(self, name: str | None = "categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(fn=categorical_accuracy, name=name, dtype=dtype)


class SparseCategoricalAccuracy(MeanMetricWrapper):
    """How often the largest prediction is that of the integer label."""

    _direction = "up"

    def __init__(self, name: str | None = "sparse_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(fn=sparse_categorical_accuracy, name=name, dtype=dtype)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the one-hot label is among the k largest predictions."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = "top_k_categorical_accuracy", dtype: Any = None) -> None:
        super().__init__(fn=top_k_categorical_accuracy, name=name, dtype=dtype, k=k)
        self.k = k


class SparseTopKCategoricalAccuracy(MeanMetricWrapper):
    """How often the integer label is among the k largest predictions."""

    _direction = "up"

    def __init__(self, k: int = 5, name: str | None = "sparse_top_k_categorical_accuracy", dtype: Any = None,
                 from_sorted_ids: bool = False) -> None:
        super().__init__(fn=sparse_top_k_categorical_accuracy, name=name, dtype=dtype, k=k, from_sorted_ids=from_sorted_ids)
        self.k, self.from_sorted_ids = k, from_sorted_ids
