"""Scores whose states are sums over the samples, one a column: F scores and the coefficient of determination."""

from __future__ import annotations

from typing import Any

from .. import config, ops
from ..common.users_code import warn
from ..losses.reduction import as_tensor, same_rank
from ..variables import Variable
from .metric import Metric


def _columns(metric: str, y_true: Any, y_pred: Any) -> int:
    """The number of columns of both. Raises ValueError unless they are (batch, columns)."""
    shapes = f"Received input shapes: y_pred.shape={tuple(y_pred.shape)} and y_true.shape={tuple(y_true.shape)}."
    if len(y_pred.shape) != 2 or len(y_true.shape) != 2:
        raise ValueError(f"{metric} expects 2D inputs with shape (batch_size, output_dim). {shapes}")
    if y_pred.shape[-1] is None or y_true.shape[-1] is None:
        raise ValueError(f"{metric} expects 2D inputs with shape (batch_size, output_dim), with output_dim fully defined (not None). "
                         f"{shapes}")
    return int(y_pred.shape[-1])


class FBetaScore(Metric):
    """(1 + beta**2) precision recall / (beta**2 precision + recall), of one-hot labels and predictions (batch, classes).

    average: None (a score a class), "micro" (all classes counted together), "macro" (the mean over classes), "weighted" (by how often a
    class occurs); threshold: what is above it is taken for positive (None: the largest of a row). Raises ValueError.
    """

    _direction = "up"

    true_positives: Variable
    false_positives: Variable
    false_negatives: Variable
    intermediate_weights: Variable

    def __init__(self, average: str | None = None, beta: float = 1.0, threshold: float | None = None, name: str | None = "fbeta_score",
                 dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        if average not in (None, "micro", "macro", "weighted"):
            raise ValueError("Invalid `average` argument value. Expected one of: {None, 'micro', 'macro', 'weighted'}. "
                             f"Received: average={average}")
        if not isinstance(beta, float):
            raise ValueError(f"Invalid `beta` argument value. It should be a Python float. Received: beta={beta} of type '{type(beta)}'")
        if beta <= 0.0:
            raise ValueError(f"Invalid `beta` argument value. It should be > 0. Received: beta={beta}")
        if threshold is not None and not isinstance(threshold, float):
            raise ValueError("Invalid `threshold` argument value. It should be a Python float. "
                             f"Received: threshold={threshold} of type '{type(threshold)}'")
        if threshold is not None and not 0.0 < threshold <= 1.0:
            raise ValueError(f"Invalid `threshold` argument value. It should verify 0 < threshold <= 1. Received: threshold={threshold}")
        self.average, self.beta, self.threshold = average, beta, threshold
        self._built = False

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = as_tensor(y_true, self.dtype), as_tensor(y_pred, self.dtype)
        columns = _columns("FBetaScore", y_true, y_pred)
        if not self._built:
            for name in ("true_positives", "false_positives", "false_negatives", "intermediate_weights"):
                setattr(self, name, self.add_variable(() if self.average == "micro" else (columns,), "zeros", self.dtype, name=name))
            self._built = True
        if self.threshold is None:
            taken = ops.logical_and(y_pred >= ops.max(y_pred, axis=-1, keepdims=True), ops.abs(y_pred) > 1e-9)
        else:
            taken = y_pred > self.threshold
        taken = ops.cast(taken, self.dtype)
        weights = 1.0 if sample_weight is None else ops.expand_dims(as_tensor(sample_weight, self.dtype), 1)
        axis = None if self.average == "micro" else 0
        for variable, values in ((self.true_positives, taken * y_true), (self.false_positives, taken * (1.0 - y_true)),
                                 (self.false_negatives, (1.0 - taken) * y_true), (self.intermediate_weights, y_true)):
            variable.assign_add(ops.sum(values * weights, axis=axis))

    def result(self) -> Any:
        hits = ops.convert_to_tensor(self.true_positives)
        precision = hits / (hits + self.false_positives + config.epsilon())
        recall = hits / (hits + self.false_negatives + config.epsilon())
        scores = precision * recall / (self.beta**2 * precision + recall + config.epsilon()) * (1.0 + self.beta**2)
        if self.average == "weighted":
            weights = ops.convert_to_tensor(self.intermediate_weights)
            return ops.sum(scores * (weights / (ops.sum(weights) + config.epsilon())))
        return scores if self.average is None else ops.mean(scores)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "average": self.average, "beta": self.beta, "threshold": self.threshold}


class F1Score(FBetaScore):
    """The harmonic mean of precision and recall; arguments as in FBetaScore."""

    def __init__(self, average: str | None = None, threshold: float | None = None, name: str | None = "f1_score",
                 dtype: Any = None) -> None:
        super().__init__(average=average, beta=1.0, threshold=threshold, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {name: value for name, value in super().get_config().items() if name != "beta"}


class R2Score(Metric):
    """1 - the squared errors over the variance of what was to be predicted: 1 is perfect, 0 is what the mean would do.

    class_aggregation: "uniform_average" over the columns, "variance_weighted_average", or None (a score a column);
    num_regressors: the number of inputs, for the adjusted score. Raises ValueError.
    """

    _direction = "up"

    squared_sum: Variable
    sum: Variable
    total_mse: Variable
    count: Variable

    def __init__(self, class_aggregation: str | None = "uniform_average", num_regressors: int = 0, name: str | None = "r2_score",
                 dtype: Any = None) -> None:
        super().__init__(name=name, dtype=dtype)
        known = (None, "uniform_average", "variance_weighted_average")
        if class_aggregation not in known:
            raise ValueError(f"Invalid value for argument `class_aggregation`. Expected one of {known}. "
                             f"Received: class_aggregation={class_aggregation}")
        if num_regressors < 0:
            raise ValueError("Invalid value for argument `num_regressors`. Expected a value >= 0. "
                             f"Received: num_regressors={num_regressors}")
        self.class_aggregation, self.num_regressors = class_aggregation, num_regressors
        self.num_samples = self.add_variable((), "zeros", name="num_samples")
        self._built = False

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_true, y_pred = same_rank(as_tensor(y_true, self.dtype), as_tensor(y_pred, self.dtype))
        columns = _columns("R2Score", y_true, y_pred)
        if not self._built:
            for attribute, name in (("squared_sum", "squared_sum"), ("sum", "sum"), ("total_mse", "residual"), ("count", "count")):
                setattr(self, attribute, self.add_variable((columns,), "zeros", name=name))
            self._built = True
        weights = ops.ones_like(y_true)
        if sample_weight is not None:
            given = as_tensor(sample_weight, self.dtype)
            weights = weights * (ops.expand_dims(given, 1) if len(given.shape) == 1 else given)
        weighted = y_true * weights
        self.sum.assign_add(ops.sum(weighted, axis=0))
        self.squared_sum.assign_add(ops.sum(y_true * weighted, axis=0))
        self.total_mse.assign_add(ops.sum(ops.square(y_true - y_pred) * weights, axis=0))
        self.count.assign_add(ops.sum(weights, axis=0))
        self.num_samples.assign_add(ops.sum(ops.ones_like(y_true)))

    def result(self) -> Any:
        total_sum = ops.convert_to_tensor(self.sum)
        total = self.squared_sum - total_sum * (total_sum / self.count)
        scores = 1.0 - self.total_mse / total
        scores = ops.where(ops.isinf(scores), ops.zeros_like(scores), scores)
        if self.class_aggregation == "uniform_average":
            scores = ops.mean(scores)
        elif self.class_aggregation == "variance_weighted_average":
            scores = ops.sum(total * scores) / ops.sum(total)
        return scores if self.num_regressors == 0 else self._adjusted(scores)

    def _adjusted(self, scores: Any) -> Any:
        samples = float(self.num_samples)
        if self.num_regressors > samples - 1:
            warn("More independent predictors than datapoints in adjusted R2 score. Falling back to standard R2 score.", UserWarning)
            return scores
        if self.num_regressors == samples - 1:
            warn("Division by zero in Adjusted R2 score. Falling back to standard R2 score.", UserWarning)
            return scores
        return 1.0 - (1.0 - scores) * (samples - 1.0) / (samples - self.num_regressors - 1.0)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "class_aggregation": self.class_aggregation, "num_regressors": self.num_regressors}
