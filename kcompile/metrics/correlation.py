"""How far predictions and labels go up and down together, along an axis."""

from __future__ import annotations

from typing import Any

from .. import config, ops
from ..losses.reduction import as_tensor, same_rank
from .metric import Metric
from .reduction import MeanMetricWrapper


def _pair(y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    y_pred = as_tensor(y_pred)
    return same_rank(as_tensor(y_true, y_pred.dtype), y_pred)


def pearson_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """The covariance over the product of the standard deviations: -1 ... 1."""
    parts = []
    for y in _pair(y_true, y_pred):
        centred = y - ops.mean(y, axis=axis, keepdims=True)
        parts.append(centred / ops.std(centred, axis=axis, keepdims=True))
    return ops.mean(parts[0] * parts[1], axis=axis)


def concordance_correlation(y_true: Any, y_pred: Any, axis: int = -1) -> Any:
    """How near the pairs lie to y_true = y_pred: the correlation, less where means or spreads differ."""
    y_true, y_pred = _pair(y_true, y_pred)
    wanted_mean, found_mean = (ops.mean(y, axis=axis, keepdims=True) for y in (y_true, y_pred))
    wanted_spread, found_spread = (ops.var(y - mean, axis=axis, keepdims=True)
                                   for y, mean in ((y_true, wanted_mean), (y_pred, found_mean)))
    together = (y_true - found_mean) * (y_pred - found_mean)
    apart = wanted_spread + found_spread + ops.square(wanted_mean - found_mean)
    return ops.mean(2.0 * together / (apart + config.epsilon()), axis=axis)


class PearsonCorrelation(MeanMetricWrapper):
    """The mean over the samples of pearson_correlation."""

    _direction = "up"

    def __init__(self, name: str | None = "pearson_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(pearson_correlation, name, dtype, axis=axis)
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), "axis": self.axis}


class ConcordanceCorrelation(MeanMetricWrapper):
    """The mean over the samples of concordance_correlation."""

    _direction = "up"

    def __init__(self, name: str | None = "concordance_correlation", dtype: Any = None, axis: int = -1) -> None:
        super().__init__(concordance_correlation, name, dtype, axis=axis)
        self.axis = axis

    def get_config(self) -> dict[str, Any]:
        return {**Metric.get_config(self), "axis": self.axis}
