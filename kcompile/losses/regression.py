"""Loss objects that compare numbers, or scores with labels."""

from __future__ import annotations

from typing import Any

from . import functions
from .loss import LossFunctionWrapper

_Reduction = str | None


class MeanSquaredError(LossFunctionWrapper):
    """mean((y_true - y_pred)**2)."""

    def __init__(self, reduction: _Reduction = "sum_over_batch_size", name: str | None = "mean_squared_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_squared_error, name=name, reduction=reduction, dtype=dtype)


class MeanAbsoluteError(LossFunctionWrapper):
    """mean(|y_true - y_pred|)."""

    def __init__(self, reduction: _Reduction = "sum_over_batch_size", name: str | None = "mean_absolute_error", dtype: Any = None) -> None:
        super().__init__(functions.mean_absolute_error, name=name, reduction=reduction, dtype=dtype)


class MeanAbsolutePercentageError(LossFunctionWrapper):
    """100 mean(|y_true - y_pred| / |y_true|)."""

    def __init__(self, reduction: _Reduction = "sum_over_batch_size", name: str | None = "mean_absolute_percentage_error",
                 dtype: Any = None) -> None:
        super().__init__(functions.mean_absolute_percentage_error, name=name, reduction=reduction, dtype=dtype)


class MeanSquaredLogarithmicError(LossFunctionWrapper):
    """mean((log(1 + y_true) - log(1 + y_pred))**2)."""

    def __init__(self, reduction: _Reduction = "sum_over_batch_size", name: str | None = "mean_squared_logarithmic_error",
                 dtype: Any = None) -> None:
        super().__init__(functions.mean_squared_logarithmic_error, name=name, reduction=reduction, dtype=dtype)


class Huber(LossFunctionWrapper):
    """Half the squared error up to `delta`, linear beyond."""

    def __init__(self, delta: float = 1.0, reduction: _Reduction = "sum_over_batch_size", name: str | None = "huber_loss",
                 dtype: Any = None) -> None:
        super().__init__(functions.huber, name=name, reduction=reduction, dtype=dtype, delta=delta)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        if config["delta"] == 1.0:
            del config["delta"]
        return config


class LogCosh(LossFunctionWrapper):
    """mean(log(cosh(y_pred - y_true)))."""

    def __init__(self, reduction: _Reduction = "sum_over_batch_size", name: str | None = "log_cosh", dtype: Any = None) -> None:
        super().__init__(functions.log_cosh, name=name, reduction=reduction, dtype=dtype)


class Hinge(LossFunctionWrapper):
    """mean(max(1 - y_true * y_pred, 0)) for labels -1 and 1, or 0 and 1."""

    def __init__(self, reduction: _Reduction = "sum_over_batch_size", name: str | None = "hinge", dtype: Any = None) -> None:
        super().__init__(functions.hinge, name=name, reduction=reduction, dtype=dtype)


class SquaredHinge(LossFunctionWrapper):
    """mean(max(1 - y_true * y_pred, 0)**2) for labels -1 and 1, or 0 and 1."""

    def __init__(self, reduction: _Reduction = "sum_over_batch_size", name: str | None = "squared_hinge", dtype: Any = None) -> None:
        super().__init__(functions.squared_hinge, name=name, reduction=reduction, dtype=dtype)


class CategoricalHinge(LossFunctionWrapper):
    """max(1 + the best wrong score - the right score, 0) for one-hot labels."""

    def __init__(self, reduction: _Reduction = "sum_over_batch_size", name: str | None = "categorical_hinge", dtype: Any = None) -> None:
        super().__init__(functions.categorical_hinge, name=name, reduction=reduction, dtype=dtype)


class CosineSimilarity(LossFunctionWrapper):
    """The negative cosine of the angle between y_true and y_pred along `axis`: -1 for equal directions."""

    def __init__(self, axis: int = -1, reduction: _Reduction = "sum_over_batch_size", name: str | None = "cosine_similarity",
                 dtype: Any = None) -> None:
        super().__init__(functions.cosine_similarity, name=name, reduction=reduction, dtype=dtype, axis=axis)

    def get_config(self) -> dict[str, Any]:
        return _without_default_axis(super().get_config())


def _without_default_axis(config: dict[str, Any]) -> dict[str, Any]:
    """As Keras writes it."""
    return {key: value for key, value in config.items() if key != "axis" or value != -1}
