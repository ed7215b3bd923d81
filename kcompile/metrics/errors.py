"""Metrics that are the mean of a loss function: errors, hinges, cross-entropies."""

from __future__ import annotations

from typing import Any

from .. import ops
from ..losses import functions
from ..losses.reduction import as_tensor, same_rank
from .reduction import Mean, MeanMetricWrapper


class MeanSquaredError(MeanMetricWrapper):
    """mean((y_true - y_pred)**2)."""

    _direction = "down"

    def __init__(self, name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_squared_error, name, dtype)


class RootMeanSquaredError(Mean):
    """sqrt(mean((y_true - y_pred)**2))."""

    _direction = "down"

    def __init__(self, name: str | None = "root_mean_squared_error", dtype: Any = None) -> None:
        super().__init__(name, dtype)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:  # type: ignore[override]
        y_true, y_pred = same_rank(as_tensor(y_true, self.dtype), as_tensor(y_pred, self.dtype))
        super().update_state(ops.square(y_pred - y_true), sample_weight)

    def result(self) -> Any:
        return ops.sqrt(super().result())


class MeanAbsoluteError(MeanMetricWrapper):
    """mean(|y_true - y_pred|)."""

    _direction = "down"

    def __init__(self, name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_absolute_error, name, dtype)


class MeanAbsolutePercentageError(MeanMetricWrapper):
    """100 mean(|y_true - y_pred| / |y_true|)."""

    _direction = "down"

    def __init__(self, name: str | None = "mean_absolute_percentage_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_absolute_percentage_error, name, dtype)


class MeanSquaredLogarithmicError(MeanMetricWrapper):
    """mean((log(1 + y_true) - log(1 + y_pred))**2)."""

    _direction = "down"

    def __init__(self, name: str | None = "mean_squared_logarithmic_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_squared_logarithmic_error, name, dtype)


class LogCoshError(MeanMetricWrapper):
    """mean(log(cosh(y_pred - y_true)))."""

    _direction = "down"

    def __init__(self, name: str | None = "logcosh", dtype: Any = None) -> None:
        super().__init__(functions.log_cosh, name, dtype)


class CosineSimilarity(MeanMetricWrapper):
    """The mean cosine of the angle between y_true and y_pred along `axis`."""

    _direction = "up"

    def __init__(self, name: str | None = "cosine_similarity", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(_cosine, name, dtype, axis=axis)

    def get_config(self) -> dict[str, Any]:
        return {key: value for key, value in super().get_config().items() if key != "axis" or value != -1}  # as Keras writes it


def _cosine(y_true: Any, y_pred: Any, axis: int) -> Any:
    return -functions.cosine_similarity(y_true, y_pred, axis=axis)


class Hinge(MeanMetricWrapper):
    """mean(max(1 - y_true * y_pred, 0))."""

    _direction = "down"

    def __init__(self, name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(functions.hinge, name, dtype)


class SquaredHinge(MeanMetricWrapper):
    """mean(max(1 - y_true * y_pred, 0)**2)."""

    _direction = "down"

    def __init__(self, name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(functions.squared_hinge, name, dtype)


class CategoricalHinge(MeanMetricWrapper):
    """max(1 + the best wrong score - the right score, 0) for one-hot labels."""

    _direction = "down"

    def __init__(self, name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(functions.categorical_hinge, name, dtype)


class KLDivergence(MeanMetricWrapper):
    """The Kullback-Leibler divergence of y_pred from y_true."""

    _direction = "down"

    def __init__(self, name: str | None = "kl_divergence", dtype: Any = None) -> None:
        super().__init__(functions.kl_divergence, name, dtype)


class Poisson(MeanMetricWrapper):
    """mean(y_pred - y_true * log(y_pred))."""

    _direction = "down"

    def __init__(self, name: str | None = "poisson", dtype: Any = None) -> None:
        super().__init__(functions.poisson, name, dtype)


class BinaryCrossentropy(MeanMetricWrapper):
    """Cross-entropy of labels in 0 ... 1 and probabilities (from_logits: logits)."""

    _direction = "down"

    def __init__(self, name: str | None = "binary_crossentropy", dtype: Any = None, from_logits: bool = False,
                 label_smoothing: float = 0) -> None:
        super().__init__(functions.binary_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing)


class CategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy of one-hot labels and probabilities (from_logits: logits)."""

    _direction = "down"

    def __init__(self, name: str | None = "categorical_crossentropy", dtype: Any = None, from_logits: bool = False,
                 label_smoothing: float = 0, axis: int = -1) -> None:
        super().__init__(functions.categorical_crossentropy, name, dtype, from_logits=from_logits, label_smoothing=label_smoothing,
                         axis=axis)


class SparseCategoricalCrossentropy(MeanMetricWrapper):
    """Cross-entropy of integer labels and probabilities (from_logits: logits)."""

    _direction = "down"

    def __init__(self, name: str | None = "sparse_categorical_crossentropy", dtype: Any = None, from_logits: bool = False,
                 ignore_class: int | None = None, axis: int = -1) -> None:
        super().__init__(functions.sparse_categorical_crossentropy, name, dtype, from_logits=from_logits, ignore_class=ignore_class,
                         axis=axis)
