"""Metrics of decisions at many thresholds: the area under a curve, and the best of one rate where another is high enough."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import config, ops
from ..losses.reduction import as_tensor, same_rank
from ..variables import Variable
from .metric import Metric

_COUNTS = ("true_positives", "false_positives", "true_negatives", "false_negatives")
CURVES = {"roc": "ROC", "ROC": "ROC", "pr": "PR", "PR": "PR", "prgain": "PRGAIN", "PRGAIN": "PRGAIN"}
SUMMATIONS = {"interpolation": "interpolation", "Interpolation": "interpolation", "majoring": "majoring", "Majoring": "majoring",
              "minoring": "minoring", "Minoring": "minoring"}


def evenly_spaced(count: int) -> list[float]:
    """`count` thresholds from 0 to 1, with Keras's roundings."""
    return [0.0, *[(i + 1) * 1.0 / (count - 1) for i in range(count - 2)], 1.0]


class ManyDecisions(Metric):
    """Counts the four outcomes of y_pred > threshold for a long list of thresholds. Predictions and labels lie in 0 ... 1."""

    _direction = "up"
    _thresholds: Sequence[float]
    _even: bool  # thresholds i / (count - 1)
    _everything_above: bool  # the first threshold lies below 0: every prediction is above it

    true_positives: Variable
    false_positives: Variable
    true_negatives: Variable
    false_negatives: Variable

    def _add_counts(self, labels: int | None = None) -> None:
        shape = (len(self._thresholds),) if labels is None else (len(self._thresholds), labels)
        for name in _COUNTS:
            setattr(self, name, self.add_variable(shape, "zeros", name=name))

    def _decisions(self, y_pred: Any, axis: int) -> Any:
        """Whether each prediction is above each threshold; the thresholds along a new `axis`.

        Evenly spaced ones are compared as Keras does, which finds the bucket of each prediction: y * (count - 1) with i, not y with
        i / (count - 1), which roundings may tell apart.
        """
        count = len(self._thresholds)
        if self._even:
            limits, y_pred = np.arange(count, dtype="float64"), ops.clip(y_pred, 0.0, 1.0) * float(count - 1)
            if self._everything_above:
                limits[0] = -1.0
        else:
            limits = np.asarray(self._thresholds, "float64")
        limits = ops.convert_to_tensor(limits.reshape((count,) + (1,) * (len(y_pred.shape) - axis)), dtype=config.floatx())
        return ops.expand_dims(y_pred, axis) > limits

    def _count(self, y_true: Any, y_pred: Any, sample_weight: Any, class_id: int | None = None, by_label: bool = False,
               label_weights: Any = None) -> None:
        y_true, y_pred = same_rank(as_tensor(y_true, config.floatx()), as_tensor(y_pred, config.floatx()))
        if class_id is not None:
            if len(y_pred.shape) == 1:
                raise ValueError("When class_id is provided, y_pred must be a 2D array with shape (num_samples, num_classes), found shape: "
                                 f"{tuple(y_pred.shape)}")
            y_true, y_pred = y_true[..., class_id], y_pred[..., class_id]
        weights: Any = ops.ones_like(y_pred)
        if sample_weight is not None:
            given = as_tensor(sample_weight, config.floatx())
            _, given = same_rank(y_pred, given)
            while len(given.shape) < len(y_pred.shape):
                given = ops.expand_dims(given, -1)
            weights = weights * given
        if label_weights is not None:
            weights = weights * label_weights
        positive = ops.cast(y_true, "bool")
        zero = ops.zeros_like(weights)
        rank = len(y_pred.shape)
        axis = 1 if by_label else rank  # where the thresholds go; the axes before it are summed over
        above = self._decisions(y_pred, axis)
        samples = tuple(range(axis))
        for truth, hits, misses in ((ops.where(positive, weights, zero), self.true_positives, self.false_negatives),
                                    (ops.where(positive, zero, weights), self.false_positives, self.true_negatives)):
            each = ops.expand_dims(truth, axis)
            none = ops.zeros_like(each)
            hits.assign_add(ops.sum(ops.where(above, each, none), axis=samples))
            misses.assign_add(ops.sum(ops.where(above, none, each), axis=samples))  # all minus the hits would be less than 0 by rounding

    def _rates(self) -> tuple[Any, Any]:
        """(recall, precision) at each threshold."""
        hits = ops.convert_to_tensor(self.true_positives)
        return (ops.divide_no_nan(hits, hits + self.false_negatives), ops.divide_no_nan(hits, hits + self.false_positives))

    def _specificities(self) -> Any:
        right = ops.convert_to_tensor(self.true_negatives)
        return ops.divide_no_nan(right, right + self.false_positives)


class AUC(ManyDecisions):
    """The area under the curve of decisions: ROC, precision over recall (PR), or their gains (PRGAIN).

    num_thresholds evenly spaced, or `thresholds` besides 0 and 1; summation_method: "interpolation", "minoring" or "majoring";
    multi_label: one curve for each of the num_labels columns, their mean (weighted by label_weights) is the result; from_logits:
    predictions go through a sigmoid first. Raises ValueError.
    """

    def __init__(self, num_thresholds: int = 200, curve: str = "ROC", summation_method: str = "interpolation", name: str | None = None,
                 dtype: Any = None, thresholds: Any = None, multi_label: bool = False, num_labels: int | None = None,
                 label_weights: Any = None, from_logits: bool = False) -> None:
        super().__init__(name=name, dtype=dtype)
        if curve not in CURVES:
            raise ValueError(f'Invalid AUC curve value: "{curve}". Expected values are ["PR", "ROC", "PRGAIN"]')
        if summation_method not in SUMMATIONS:
            raise ValueError(f'Invalid AUC summation method value: "{summation_method}". Expected values are ["interpolation", "majoring", '
                             '"minoring"]')
        if thresholds is None and num_thresholds <= 1:
            raise ValueError(f"Argument `num_thresholds` must be an integer > 1. Received: num_thresholds={num_thresholds}")
        if num_labels and not multi_label:
            raise ValueError("`num_labels` is needed only when `multi_label` is True.")
        self.curve, self.summation_method = CURVES[curve], SUMMATIONS[summation_method]
        inner = evenly_spaced(num_thresholds)[1:-1] if thresholds is None else sorted(float(value) for value in thresholds)
        self.num_thresholds = len(inner) + 2
        self._given_thresholds = thresholds is not None
        self._thresholds = [0.0 - config.epsilon(), *inner, 1.0 + config.epsilon()]
        places = np.arange(self.num_thresholds) / (self.num_thresholds - 1)
        self._even = self.num_thresholds >= 3 and bool(np.allclose([0.0, *inner, 1.0], places, atol=config.epsilon()))
        self._everything_above = True
        self.multi_label, self.num_labels = multi_label, num_labels
        self.label_weights = None if label_weights is None else [float(weight) for weight in label_weights]
        self._from_logits = from_logits
        self._built = False
        if num_labels or not multi_label:
            self._add_counts(num_labels)
            self._built = True

    @property
    def thresholds(self) -> list[float]:
        """In ascending order; the first and the last lie a little outside 0 ... 1."""
        return list(self._thresholds)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        y_pred = as_tensor(y_pred, config.floatx())
        if not self._built:
            if len(y_pred.shape) != 2:
                raise ValueError(f"`y_pred` must have rank 2 when `multi_label=True`. Found rank {len(y_pred.shape)}. "
                                 f"Full shape received for `y_pred`: {tuple(y_pred.shape)}")
            self._add_counts(y_pred.shape[1])
            self._built = True
        if self._from_logits:
            y_pred = ops.sigmoid(y_pred)
        weights = None
        if self.label_weights is not None and not self.multi_label:
            weights = ops.convert_to_tensor(self.label_weights, dtype=config.floatx())
        self._count(y_true, y_pred, sample_weight, by_label=self.multi_label, label_weights=weights)

    def result(self) -> Any:
        if self.curve == "PR" and self.summation_method == "interpolation":
            return self._mean_of_labels(self._interpolated())
        x, y = self._curve()
        if self.summation_method == "interpolation":
            heights = (y[:-1] + y[1:]) / 2.0
        else:
            heights = (ops.minimum if self.summation_method == "minoring" else ops.maximum)(y[:-1], y[1:])
        return self._mean_of_labels((x[:-1] - x[1:]) * heights)

    def _curve(self) -> tuple[Any, Any]:
        recall, precision = self._rates()
        if self.curve == "PR":
            return recall, precision
        hits, wrong = ops.convert_to_tensor(self.true_positives), ops.convert_to_tensor(self.false_positives)
        missed, right = ops.convert_to_tensor(self.false_negatives), ops.convert_to_tensor(self.true_negatives)
        if self.curve == "ROC":
            return ops.divide_no_nan(wrong, wrong + right), recall
        odds = ops.divide_no_nan(hits + missed, right + wrong)
        none = ops.equal(hits, 0.0)
        recall_gain = ops.where(none, ops.zeros_like(hits), 1.0 - odds * ops.divide_no_nan(missed, hits))
        precision_gain = ops.where(none, ops.ones_like(hits), 1.0 - odds * ops.divide_no_nan(wrong, hits))
        return ops.maximum(recall_gain, 0.0), precision_gain

    def _interpolated(self) -> Any:
        """Pieces of the area under precision over recall, where the true positives are interpolated between thresholds.

        Davis and Goadrich, The relationship between Precision-Recall and ROC curves, 2006.
        """
        hits, missed = ops.convert_to_tensor(self.true_positives), ops.convert_to_tensor(self.false_negatives)
        taken = hits + self.false_positives
        more_hits = hits[:-1] - hits[1:]
        slope = ops.divide_no_nan(more_hits, ops.maximum(taken[:-1] - taken[1:], 0.0))
        intercept = hits[1:] - slope * taken[1:]
        both = ops.logical_and(taken[:-1] > 0, taken[1:] > 0)
        ratio = ops.where(both, ops.divide_no_nan(taken[:-1], ops.maximum(taken[1:], 0.0)), ops.ones_like(taken[1:]))
        return ops.divide_no_nan(slope * (more_hits + intercept * ops.log(ratio)), ops.maximum(hits[1:] + missed[1:], 0.0))

    def _mean_of_labels(self, pieces: Any) -> Any:
        areas = ops.sum(pieces, axis=0)
        if not self.multi_label:
            return areas
        if self.label_weights is None:
            return ops.mean(areas)
        weights = ops.convert_to_tensor(self.label_weights, dtype=config.floatx())
        return ops.divide_no_nan(ops.sum(areas * weights), ops.sum(weights))

    def get_config(self) -> dict[str, Any]:
        own = {"num_thresholds": self.num_thresholds, "curve": self.curve, "summation_method": self.summation_method,
               "multi_label": self.multi_label, "num_labels": self.num_labels, "label_weights": self.label_weights,
               "from_logits": self._from_logits}
        if self._given_thresholds:
            own["thresholds"] = self.thresholds[1:-1]
        return {**super().get_config(), **own}


class _BestRate(ManyDecisions):
    """The highest of one rate over the thresholds at which another is at least a given value."""

    _bound = ""  # the argument that gives the value

    def __init__(self, value: float, num_thresholds: int, class_id: int | None, name: str | None, dtype: Any) -> None:
        super().__init__(name=name, dtype=dtype)
        if value < 0 or value > 1:
            raise ValueError(f"Argument `{self._bound}` must be in the range [0, 1]. Received: {self._bound}={value}")
        if num_thresholds <= 0:
            raise ValueError(f"Argument `num_thresholds` must be an integer > 0. Received: num_thresholds={num_thresholds}")
        self.value, self.num_thresholds, self.class_id = value, num_thresholds, class_id
        setattr(self, self._bound, value)
        self._thresholds = [0.5] if num_thresholds == 1 else evenly_spaced(num_thresholds)
        self._even, self._everything_above = num_thresholds > 1, False
        self._add_counts()

    @property
    def thresholds(self) -> list[float]:
        return list(self._thresholds)

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        self._count(y_true, y_pred, sample_weight, self.class_id)

    def _best(self, bound: Any, wanted: Any) -> Any:
        return ops.max(ops.where(bound >= self.value, wanted, ops.zeros_like(wanted)))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "class_id": self.class_id, "num_thresholds": self.num_thresholds, self._bound: self.value}


class SensitivityAtSpecificity(_BestRate):
    """The best share of positives found, at thresholds that leave at least this share of the negatives alone."""

    _bound = "specificity"

    def __init__(self, specificity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
                 dtype: Any = None) -> None:
        super().__init__(specificity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self._best(self._specificities(), self._rates()[0])


class SpecificityAtSensitivity(_BestRate):
    """The best share of negatives left alone, at thresholds that find at least this share of the positives."""

    _bound = "sensitivity"

    def __init__(self, sensitivity: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
                 dtype: Any = None) -> None:
        super().__init__(sensitivity, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        return self._best(self._rates()[0], self._specificities())


class PrecisionAtRecall(_BestRate):
    """The best precision at thresholds with at least this recall."""

    _bound = "recall"

    def __init__(self, recall: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
                 dtype: Any = None) -> None:
        super().__init__(recall, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        recall, precision = self._rates()
        return self._best(recall, precision)


class RecallAtPrecision(_BestRate):
    """The best recall at thresholds with at least this precision."""

    _bound = "precision"

    def __init__(self, precision: float, num_thresholds: int = 200, class_id: int | None = None, name: str | None = None,
                 dtype: Any = None) -> None:
        super().__init__(precision, num_thresholds, class_id, name, dtype)

    def result(self) -> Any:
        recall, precision = self._rates()
        return self._best(precision, recall)
